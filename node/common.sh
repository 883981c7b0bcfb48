# shellcheck shell=sh disable=SC2034
# What the node's side shares: paths, messages, hashes, files that arrive and are put in place, and the lock.
# The operator's side decides; these functions only move files and look: docs/design.md.

set -u
umask 077
# Not the caller's: an account that may run the reading script as root would choose what runs as root. kubectl is in
# /opt/bin on Flatcar.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin
LC_ALL=C
export PATH LC_ALL

STATE=/etc/kubernetes/audit-logging
ARCHIVE=/etc/kubernetes/apiserver-manifest-archive
MANIFESTS=/etc/kubernetes/manifests
MANIFEST=$MANIFESTS/kube-apiserver.yaml
# The stack's AdmissionConfiguration; auditlog/manifest/admission_configuration.py has it too.
ADMISSION=/etc/kubernetes/audit-admission.yaml
# What changes together with the manifest. Staged, in backups and in $STATE/before each is audit-KIND.yaml.
KINDS="policy webhook admission static-policies"
ADMIN_CONF=/etc/kubernetes/admin.conf
KUBELET_CONF=/etc/kubernetes/kubelet.conf
# Whose certificates the API servers have that kubeadm sets up.
AUTHORITY=/etc/kubernetes/pki/ca.crt
ARCHIVE_KEEPS=20
GUARD_SECONDS=900
line_break='
'

# uptime_seconds: a clock that nobody sets. Everything that is waited for ends by it.
uptime_seconds() {
    read -r up _ </proc/uptime
    say "${up%%.*}"
}

say() { printf '%s\n' "$*"; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# hash_of FILE: its sha256, or "absent".
hash_of() {
    if [ -f "$1" ]; then sum=$(sha256sum <"$1") && printf '%s\n' "${sum%% *}"; else echo absent; fi
}

# rotated_names LOG: its rotated files are called $stem-TIME$extension, with .gz behind it once they are compressed.
rotated_names() {
    case ${1##*/} in *.*) extension=.${1##*.} ;; *) extension= ;; esac
    stem=${1%"$extension"}
}

# given NAME KEY=VALUE...: the value given for NAME; status 1 when it is not given.
given() {
    wanted=$1
    shift
    for pair in "$@"; do
        case $pair in "$wanted="*)
            printf '%s\n' "${pair#*=}"
            return
            ;;
        esac
    done
    return 1
}

# argument NAME KEY=VALUE...: the value given for NAME; fails when it is not given.
argument() {
    given "$@" || fail "the argument $1= is missing"
}

# Takes standard input to FILE and checks that it is what the operator meant to send. A here-document always ends in
# a line break; where the file does not, that one is taken off again.
receive() {
    file=$1 expected=$2
    mkdir -p "$(dirname "$file")"
    cat >"$file" || fail "cannot write $file"
    [ "$(hash_of "$file")" = "$expected" ] && return
    head -c -1 "$file" >"$file.short" && mv "$file.short" "$file"
    [ "$(hash_of "$file")" = "$expected" ] || fail "what arrived for $file is not what was sent (sha256 $expected expected)"
}

# receive_earlier FILE SHA256 KEPT ARGUMENTS...: the text that a deletion gives back comes to FILE. With the argument edits it
# is made from standard input, which is what the stack wrote last, or is the copy KEPT: a command line can be read by everybody
# on the node. A deletion of an earlier version brings the text itself. Status 1, with the reason in $problem, if it is neither.
receive_earlier() {
    earlier=$1 expected=$2 kept=$3
    if ! edits=$(given edits "$@"); then
        receive "$earlier" "$expected"
        return
    fi
    problem="cannot write $earlier"
    mkdir -p "$(dirname "$earlier")" && awk 1 | sed -e "$edits" >"$earlier" || return 1
    if [ "$(hash_of "$earlier")" != "$expected" ]; then head -c -1 "$earlier" >"$earlier.short" && mv "$earlier.short" "$earlier"; fi
    if [ "$(hash_of "$earlier")" != "$expected" ] && [ "$(hash_of "$kept")" = "$expected" ]; then cp "$kept" "$earlier"; fi
    problem="the earlier text cannot be made from what arrived (sha256 $expected expected); nothing was removed. Run 'pulumi up' first"
    [ "$(hash_of "$earlier")" = "$expected" ]
}

# receive_desired FILE SHA256 LIVE NAME: takes standard input to FILE. While the node is in sync the operator's command
# line is that of the last change and only standard input is of now; what is equal to the file LIVE then needs nothing
# but the stack's record of it, and the command ends here.
receive_desired() {
    mkdir -p "$(dirname "$1")"
    cat >"$1" || fail "cannot write $1"
    # The operator's side, told that it is there, sends it only once.
    sync "$1" "$(dirname "$1")" || fail "cannot write $1"
    received=$(hash_of "$1")
    [ "$received" = "$2" ] && return
    [ "$received" = "$(hash_of "$3")" ] || fail "what arrived for $1 is not what was sent (sha256 $2 expected)"
    record_written "$4" "$received" || fail "cannot write $STATE/written"
    say "$4: in sync; only the stack's record of it changes"
    exit 0
}

# put FILE TARGET MODE: TARGET becomes a copy of FILE by a rename within TARGET's folder, whole or not at all.
put() {
    temporary=$(temporary_of "$2")
    if cp "$1" "$temporary" && chown 0:0 "$temporary" && chmod "$3" "$temporary" && sync "$temporary"; then
        mv -f "$temporary" "$2" && sync "$(dirname "$2")"
    else
        rm -f "$temporary"
        return 1
    fi
}

# temporary_of TARGET: the file that put renames. A power cut may leave it: the next put of TARGET takes it over, and who
# takes TARGET away takes it along.
temporary_of() { printf '%s\n' "$(dirname "$1")/.$(basename "$1").kubernetes-audit"; }

# record_written NAME SHA256: what the stack last wrote as manifest, policy or kubeadm-config. The operator's side cannot
# read its own state; by this it tells an edit by hand from a change of its settings.
record_written() { mkdir -p "$STATE/written" && echo "$2" | keep_record "$STATE/written/$1"; }

# keep_record FILE: standard input becomes FILE, whole or not at all, also if the power goes. An empty FILE never comes of it.
keep_record() {
    cat >"$1.new" && [ -s "$1.new" ] && sync "$1.new" && mv "$1.new" "$1" && sync "$(dirname "$1")"
}

# is_whole RECORD: every record ends with a line break. A version that did not sync them may have left an empty one when the
# power went, or half of one, which says nothing.
is_whole() { [ -s "$1" ] && [ -z "$(tail -c 1 "$1")" ]; }

# One operator at a time. The lock is held by whoever has descriptor 9 open, so it ends with the last of them. Where a
# change was cut off, the guard has it until the node is in order, and is waited for.
take_lock() {
    mkdir -p "$STATE"
    exec 9>"$STATE/lock"
    flock -n 9 && return
    if [ -e "$STATE/journal" ] && ! alive "$(journal worker)"; then
        say "waiting: a change of this node was cut off, and its guard is bringing the node in order"
        deadline=$(($(uptime_seconds) + GUARD_SECONDS))
        until flock -n 9 || [ "$(uptime_seconds)" -ge "$deadline" ]; do sleep 0.5; done
        flock -n 9 && return
    fi
    fail "another change of this node is under way (lock $STATE/lock); wait for it and run again"
}
