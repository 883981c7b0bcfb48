# shellcheck shell=sh disable=SC2034,SC2154
# Copies of the manifest and the files that it names: one of each for every change, and those that removal gives back.

# back_up POLICY WEBHOOK: the manifest, the policy and the webhook's kubeconfig as they are now, in a folder of the archive;
# sets $backup. It gets its name once it is whole: people look there when all else fails.
back_up() {
    backup=$ARCHIVE/$(date -u +%Y%m%dT%H%M%SZ)
    while [ -e "$backup" ]; do backup=$backup.1; done
    sequence=$(cat "$ARCHIVE"/*/sequence 2>/dev/null | sort -n | tail -n 1)
    making=$ARCHIVE/.unfinished
    if ! { rm -rf "$making" && mkdir -p "$making" && chmod 700 "$ARCHIVE" "$making" &&
        cp -p "$MANIFEST" "$making/kube-apiserver.yaml" &&
        { [ ! -f "$1" ] || cp -p "$1" "$making/audit-policy.yaml"; } &&
        { [ ! -f "$2" ] || cp -p "$2" "$making/audit-webhook.yaml"; } &&
        echo "$((${sequence:-0} + 1))" >"$making/sequence" && sync "$making"/* "$making" &&
        mv -T "$making" "$backup" && sync "$ARCHIVE" "${ARCHIVE%/*}"; }; then
        rm -rf "$making"
        problem="cannot back up $MANIFEST and the files that it names to $ARCHIVE"
        return 1
    fi
    if ! is_among "$(hash_of "$backup/kube-apiserver.yaml")" "$read_texts" || ! is_as_read audit-policy.yaml "$1" ||
        ! is_as_read audit-webhook.yaml "$2"; then
        changed_by_others "" "${changed:-$MANIFEST}"
        return 1
    fi
    keep_way_back "$backup" || return 1
    if [ ! -e "$STATE/owner" ]; then : >"$backup/before-audit-logging" && sync "$backup"; fi
    prune_archive
    say "backup: $backup"
}

# is_as_read NAME TARGET: whether the backup NAME of TARGET is what this run has read. A change that does not replace the
# file takes it as it is.
is_as_read() {
    case $1 in audit-policy.yaml) wanted=$policy_desired ;; *) wanted=$webhook_desired ;; esac
    changed=$2
    [ -z "$wanted" ] || [ ! -f "$backup/$1" ] || is_among "$(hash_of "$backup/$1")" "$read_texts"
}

# Keeps the newest backups, and every one of a time before audit logging. Which is newer their numbers tell, the clock does
# not; those of an earlier version have none and are the oldest, in the order of their names.
prune_archive() {
    find "$ARCHIVE" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*' | while IFS= read -r old; do
        printf '%012d %s\n' "$(cat "$old/sequence" 2>/dev/null || echo 0)" "$old"
    done | sort -r | tail -n "+$((ARCHIVE_KEEPS + 1))" | while read -r _ old; do
        [ "$old" = "${backup:-}" ] || [ -e "$old/before-audit-logging" ] || rm -rf "$old"
    done
}

# forget_credentials: copies of the webhook's kubeconfig that no change falls back to any more. One of a time before audit
# logging is not the stack's, and what somebody else wrote during this very change is theirs to look at: both stay.
forget_credentials() {
    rm -f "$STATE/staged/put-back-audit-webhook.yaml"
    for copy in "$ARCHIVE"/*/*; do
        folder=${copy%/*}
        if [ ! -f "$copy" ] || [ -e "$folder/before-audit-logging" ]; then continue; fi
        case ${copy##*/} in
            audit-webhook.yaml) rm -f "$copy" ;;
            wanted-* | changed-by-others-*)
                if [ "$folder" != "${backup:-}" ] && grep -q -E 'kind"?: *"?Config("|,|\}| *$)' "$copy"; then rm -f "$copy"; fi
                ;;
        esac
    done
}

# keep_before MANIFEST POLICY WEBHOOK: what is there before the stack's first change, for removal to give back. A webhook that
# a later change brings is kept then, and none is when the stack wrote it.
keep_before() {
    problem="cannot write $STATE/before"
    mkdir -p "$STATE/before" || return 1
    if [ -n "${begins_anew:-}" ] && [ ! -e "$STATE/owner" ] && [ -e "$STATE/before/kube-apiserver.yaml" ]; then return 0; fi
    if [ ! -e "$STATE/owner" ]; then
        rm -f "$STATE/before/kube-apiserver.yaml"
        put "$1" "$STATE/before/kube-apiserver.yaml" 600 || return 1
        if ! is_left_over policy "$2"; then
            rm -f "$STATE/before/audit-policy.yaml"
            [ ! -f "$2" ] || put "$2" "$STATE/before/audit-policy.yaml" 600 || return 1
        fi
        if is_left_over webhook "$3"; then return 0; fi
    else
        keep_moved policy audit-policy.yaml "$2" && keep_moved webhook audit-webhook.yaml "$3" || return 1
        if [ -z "$3" ] || [ -n "$(path_of webhook)" ]; then return 0; fi
    fi
    rm -f "$STATE/before/audit-webhook.yaml"
    [ ! -f "$3" ] || put "$3" "$STATE/before/audit-webhook.yaml" 600
}

# is_left_over NAME FILE: whether the file is one that the stack wrote, and a removal that was cut off has not come to.
is_left_over() { is_whole "$STATE/written/$1" && [ "$(hash_of "$2")" = "$(cat "$STATE/written/$1")" ]; }

# keep_way_back BACKUP: copies of its files that restore_files only has to rename. A disk that fills up while the API
# server is away then does not keep the earlier one from coming back.
keep_way_back() {
    for name in kube-apiserver.yaml audit-policy.yaml audit-webhook.yaml; do
        [ ! -f "$1/$name" ] || keep_copy "$1/$name" "$STATE/staged/put-back-$name" || return 1
    done
}

# keep_copy FILE COPY: COPY is whole or not there. Writes nothing where it is whole already.
keep_copy() {
    problem="cannot write $2"
    [ "$(hash_of "$1")" = "$(hash_of "$2")" ] ||
        { cp -p "$1" "$2.new" && sync "$2.new" && mv -f "$2.new" "$2" && sync "$(dirname "$2")"; }
}

# restore_files BACKUP POLICY WEBHOOK: the files as they are in BACKUP. What somebody else wrote meanwhile stays: $left_alone
# names it, and $edited says whether they wrote into a file that came back. The manifest comes first, then the files go that
# it no longer needs; they stay where the manifest is somebody else's.
restore_files() {
    left_alone='' edited=''
    put_back "$1/audit-policy.yaml" "$2" && put_back "$1/audit-webhook.yaml" "$3" &&
        put_back "$1/kube-apiserver.yaml" "$MANIFEST" || return 1
    case " $left_alone " in *" $MANIFEST "*) return 0 ;; esac
    take_back "$1/audit-policy.yaml" "$2" && take_back "$1/audit-webhook.yaml" "$3"
}

# put_back FILE TARGET: FILE's text becomes TARGET again; nothing where FILE is not there. What came out of TARGET when the
# new file came, and lies in its slot, is the very file that was there: what its writer wrote into it since comes back too.
put_back() {
    if [ ! -f "$1" ] || [ "$(hash_of "$1")" = "$(hash_of "$2")" ]; then return 0; fi
    known=$(known_texts)
    if ! is_expected "$2" "$known"; then
        leave "$2"
        return 0
    fi
    slot=$(slot_of "$2") copy=$STATE/staged/put-back-${1##*/}
    if was_displaced "$slot" "$1" "$known"; then
        if [ "$(hash_of "$slot")" != "$(hash_of "$1")" ]; then
            keep_copy_of_others "$slot" "$2"
            record "known=$(journal known) $(hash_of "$slot")" && edited=yes
        fi
        copy=$slot
    else
        keep_copy "$1" "$copy" || return 1
        if [ "$(stat -c %d "$copy")" != "$(stat -c %d "$(dirname "$2")")" ]; then
            fill_slot "$copy" "$2" 600 "$slot" || return 1
            copy=$slot
        fi
    fi
    problem="cannot put $1 back"
    if swap_in "$copy" "$2" "$known"; then return 0; fi
    is_expected "$2" "$known" && return 1
    leave "$2"
}

# was_displaced SLOT FILE KNOWN: whether SLOT holds what came out of the target, and not the new file on its way in.
was_displaced() {
    [ -f "$1" ] && [ ! -L "$1" ] || return 1
    [ "$(hash_of "$1")" = "$(hash_of "$2")" ] || ! is_among "$(hash_of "$1")" "$3"
}

# take_back FILE TARGET: TARGET goes where there was none before, which FILE's absence tells.
take_back() {
    if [ -z "$2" ] || [ -f "$1" ]; then return 0; fi
    withdraw "$2" "$(known_texts)" || leave "$2"
}

# leave TARGET: it stays as somebody else wrote it.
leave() {
    left_alone="$left_alone $1"
    keep_copy_of_others "$1" "$1"
    say "left: $1 stays as somebody else wrote it meanwhile"
}

# clear_slots POLICY WEBHOOK: the change is over. What somebody wrote into a file that it displaced is kept.
clear_slots() {
    known=$(known_texts)
    for target in "$MANIFEST" "$1" "$2"; do
        [ -z "$target" ] || clear_slot "$target" "$known"
    done
    clear_slot "$MANIFEST" "$known" "$(slot_of_first)"
}
