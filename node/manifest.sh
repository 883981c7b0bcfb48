# shellcheck shell=sh
# The static-pod manifest, changed as one transaction with the policy: both new and running, or both as they were.
#
# The work is done by a process of its own (setsid) that a lost SSH connection does not end; the command that the
# operator waits for only shows its messages. A journal says what was under way, for the next run to finish.

# apply_manifest live=SHA256@CTIME desired=SHA256 arguments=SHA256 arguments-before=SHA256 endpoint=URL timeout=SECONDS
#   owner=NAME policy=PATH policy-live=SHA256@CTIME policy-desired=SHA256 log=PATH marker=yes|no restart=yes|no
# The desired manifest on standard input. "arguments" is the hash of /proc/PID/cmdline that the manifest leads to.
apply_manifest() {
    desired=$(argument desired "$@") || exit 1
    live=$(argument live "$@") || exit 1
    policy=$(argument policy "$@") || exit 1
    policy_live=$(argument policy-live "$@") || exit 1
    policy_desired=$(argument policy-desired "$@") || exit 1
    restart=$(argument restart "$@") || exit 1
    take_lock
    check_owner "$@"
    receive_desired "$STATE/staged/kube-apiserver.yaml" "$desired" "$MANIFEST" manifest
    there=$(hash_of "$MANIFEST") policy_there=$(hash_of "$policy")
    if [ "$there" = "$desired" ] && [ "$policy_there" = "$policy_desired" ] && [ "$restart" = no ] &&
        [ ! -e "$STATE/journal" ]; then
        keep_before "$MANIFEST" "$policy"
        own "$@" || fail "cannot write $STATE/owner"
        say "manifest: in sync"
        return
    fi
    if [ "$there" != "${live%@*}" ] && [ "$there" != "$desired" ]; then
        fail "$MANIFEST changed after it was read for this plan; run again to see its present text"
    fi
    if [ "$policy_there" != "${policy_live%@*}" ] && [ "$policy_there" != "$policy_desired" ]; then
        fail "$policy changed after it was read for this plan; run again to see its present text"
    fi
    if [ "$policy_there" = "$policy_desired" ]; then cp "$policy" "$STATE/staged/audit-policy.yaml"; fi
    [ "$(hash_of "$STATE/staged/audit-policy.yaml")" = "$policy_desired" ] ||
        fail "the policy of this plan is not staged on the node; run again"
    [ "$(stat -c %d "$STATE")" = "$(stat -c %d "$MANIFESTS")" ] ||
        fail "$STATE and $MANIFESTS are on different file systems: a rename between them is not atomic"
    detached change_manifest "$@"
}

# restore_manifest written=SHA256 restore=SHA256 arguments=SHA256 (of the earlier process) endpoint=URL timeout=SECONDS
#   policy=PATH, the earlier manifest on standard input.
restore_manifest() {
    written=$(argument written "$@") || exit 1
    restore=$(argument restore "$@") || exit 1
    take_lock
    receive "$STATE/staged/kube-apiserver.yaml" "$restore"
    there=$(hash_of "$MANIFEST")
    if [ "$there" = "$restore" ] && [ ! -e "$STATE/journal" ]; then
        say "manifest: as it was before audit logging"
    elif [ "$there" = "$restore" ] || [ "$there" = "$written" ]; then
        detached change_back "$@"
    else
        fail "$MANIFEST was changed since this stack last wrote it; nothing was removed." \
            "Run 'pulumi up' first: it takes the present file as the one to give back less audit logging"
    fi
    rm -f "$STATE/before/kube-apiserver.yaml" "$STATE/owner"
}

# detached COMMAND ARGUMENTS...: runs it where no lost connection reaches it, shows what it says, returns its status.
detached() {
    rm -f "$STATE/status"
    : >"$STATE/messages"
    setsid sh "$STATE/node.sh" work "$@" >>"$STATE/messages" 2>&1 </dev/null &
    tail -n +1 -s 0.3 -f --pid="$!" "$STATE/messages"
    status=$(cat "$STATE/status" 2>/dev/null) || fail "the change ended without a result; run again to finish it"
    [ "$status" = 0 ] || exit "$status"
}

# work COMMAND ARGUMENTS...: the detached side. The lock's descriptor came with it.
work() {
    ("$@")
    echo "$?" >"$STATE/status.new" && mv "$STATE/status.new" "$STATE/status"
}

change_manifest() {
    policy=$(argument policy "$@") || exit 1
    arguments=$(argument arguments "$@") || exit 1
    endpoint=$(argument endpoint "$@") || exit 1
    timeout=$(argument timeout "$@") || exit 1
    begin "$policy" "$(argument arguments-before "$@")"
    if ! { put "$STATE/staged/audit-policy.yaml" "$policy" 600 && swap "$STATE/staged/kube-apiserver.yaml"; }; then
        put_back "the new files could not be written"
    fi
    if [ "$(hash_of "$MANIFEST")" = "$(hash_of "$backup/kube-apiserver.yaml")" ]; then
        # The same manifest does not make kubelet restart anything; the process that has the old policy must end.
        say "restart: the manifest is the same, the process is ended for kubelet to start it anew"
        for pid in $before; do kill -TERM "$pid"; done
    fi
    say "swap: done; kubelet ends the old API server and starts the new one"
    wait_for_process "$before" "$arguments" "$timeout" || put_back "$problem"
    wait_for_health "$endpoint" "$arguments" "$timeout" || put_back "$problem"
    if [ "$(argument marker "$@")" = yes ]; then
        marker_arrives "$endpoint" "$(argument log "$@")" || put_back "$problem"
    fi
    own "$@" || put_back "$STATE/owner cannot be written"
    rm -f "$STATE/journal"
    say "manifest: running and healthy; backup $backup"
}

change_back() {
    policy=$(argument policy "$@") || exit 1
    arguments=$(argument arguments "$@") || exit 1
    endpoint=$(argument endpoint "$@") || exit 1
    timeout=$(argument timeout "$@") || exit 1
    begin "$policy" "$(running_arguments)"
    swap "$STATE/staged/kube-apiserver.yaml" || put_back "the earlier manifest could not be written"
    say "swap: done; kubelet ends the audited API server and starts the earlier one"
    wait_for_process "$before" "$arguments" "$timeout" || put_back "$problem"
    wait_for_health "$endpoint" "$arguments" "$timeout" || put_back "$problem"
    rm -f "$STATE/journal"
    say "manifest: as it was before audit logging; backup $backup"
}

# begin POLICY ARGUMENTS-BEFORE: backs up and opens the journal; sets $backup and $before, the processes that must go.
#
# Where an earlier change was cut off, its journal stays open: its backup, and not the half-changed files of now, is the
# last state known to work and the one to fall back to, and the processes of its beginning are the ones that must go,
# unless the machine was started since.
begin() {
    boot=$(cat /proc/sys/kernel/random/boot_id)
    if [ -e "$STATE/journal" ]; then
        backup=$(journal backup)
        [ -f "$backup/kube-apiserver.yaml" ] || fail "$STATE/journal names the backup $backup, which is not there"
        before=
        if [ "$(journal boot)" = "$boot" ]; then before=$(journal processes); fi
        say "resume: an earlier change of this node was cut off; its backup $backup stays the one to fall back to"
        return
    fi
    back_up "$1"
    keep_before "$backup/kube-apiserver.yaml" "$backup/audit-policy.yaml"
    container_logs >"$STATE/swapped"
    before=$(apiserver_pids | tr '\n' ' ')
    printf '%s\n' "backup=$backup" "arguments-before=$2" "boot=$boot" "processes=$before" >"$STATE/journal.new"
    mv "$STATE/journal.new" "$STATE/journal"
    [ "$(journal processes)" = "$before" ] || fail "cannot write $STATE/journal; nothing was changed"
}

# running_arguments: the hash of the arguments that the API server runs with now; empty when none runs.
running_arguments() {
    for pid in $(apiserver_pids); do
        hash_of "/proc/$pid/cmdline"
        return
    done
}

# journal NAME: what the journal says of NAME.
journal() { sed -n "s/^$1=//p" "$STATE/journal"; }

# keep_before MANIFEST POLICY: what is there before the stack's first change, for removal to give back.
keep_before() {
    if [ -e "$STATE/owner" ]; then return; fi
    rm -rf "$STATE/before/kube-apiserver.yaml" "$STATE/before/audit-policy.yaml"
    mkdir -p "$STATE/before"
    if ! { put "$1" "$STATE/before/kube-apiserver.yaml" 600 && { [ ! -f "$2" ] || put "$2" "$STATE/before/audit-policy.yaml" 600; }; }; then
        fail "cannot write $STATE/before; nothing was changed"
    fi
}

# check_owner owner=NAME...: refuses a node whose audit logging is another stack's.
check_owner() {
    mine=$(argument owner "$@") || exit 1
    if [ -e "$STATE/owner" ] && [ "$(cat "$STATE/owner")" != "$mine" ]; then
        fail "the audit logging of this node belongs to the stack $(cat "$STATE/owner"), and this is $mine;" \
            "destroy that stack first, or remove $STATE/owner if it is no more"
    fi
}

# own owner=NAME policy=PATH log=PATH...: from now on this node's audit logging is the stack's.
own() {
    { say "policy=$(argument policy "$@")" && say "log=$(argument log "$@")"; } >"$STATE/paths.new" &&
        mv "$STATE/paths.new" "$STATE/paths" &&
        argument owner "$@" >"$STATE/owner.new" && mv "$STATE/owner.new" "$STATE/owner"
}

# swap FILE: FILE becomes the manifest by one rename from outside the manifests folder.
swap() {
    chown --reference="$MANIFEST" "$1" && chmod --reference="$MANIFEST" "$1" && sync "$1" && mv -f "$1" "$MANIFEST"
}

# back_up POLICY: the manifest and the policy as they are now, in a folder of the archive; sets $backup.
back_up() {
    backup=$ARCHIVE/$(date -u +%Y%m%dT%H%M%SZ)
    while [ -e "$backup" ]; do backup=$backup.1; done
    if ! { mkdir -p "$backup" && chmod 700 "$ARCHIVE" "$backup" && cp -p "$MANIFEST" "$backup/kube-apiserver.yaml" &&
        { [ ! -f "$1" ] || cp -p "$1" "$backup/audit-policy.yaml"; }; }; then
        fail "cannot back up $MANIFEST and $1 to $ARCHIVE; nothing was changed"
    fi
    if [ ! -e "$STATE/owner" ]; then : >"$backup/before-audit-logging"; fi
    prune_archive
    say "backup: $backup"
}

# Keeps the newest backups, and every one of a time before audit logging.
prune_archive() {
    find "$ARCHIVE" -mindepth 1 -maxdepth 1 -type d | sort -r | tail -n "+$((ARCHIVE_KEEPS + 1))" | while IFS= read -r old; do
        [ -e "$old/before-audit-logging" ] || rm -rf "$old"
    done
}

# wait_for_process PIDS ARGUMENTS TIMEOUT: until none of the old PIDS lives and one with these arguments does.
wait_for_process() {
    deadline=$(($(date +%s) + $3)) waiting=
    while [ "$(date +%s)" -lt "$deadline" ]; do
        old=0 new=
        for pid in $(apiserver_pids); do
            case " $1 " in *" $pid "*) old=1 ;; *) if [ "$(hash_of "/proc/$pid/cmdline")" = "$2" ]; then new=$pid; fi ;; esac
        done
        if [ "$old" = 0 ] && [ -n "$new" ]; then
            say "process: $new runs with exactly the manifest's arguments"
            return
        fi
        if [ "$old" = 0 ] && [ -z "$waiting" ]; then say "process: the old one is gone" && waiting=1; fi
        if crash_loops; then problem="the API server cannot start"; return 1; fi
        sleep 0.5
    done
    problem="no API server with the manifest's arguments within $3 s"
    return 1
}

# wait_for_health ENDPOINT ARGUMENTS TIMEOUT: until /livez and /readyz say ok three times, a second apart, of one
# process with these arguments (any arguments when empty).
wait_for_health() {
    deadline=$(($(date +%s) + $3)) good=0
    while [ "$(date +%s)" -lt "$deadline" ]; do
        if healthy "$1"; then good=$((good + 1)); else good=0; fi
        if [ "$good" -ge 3 ]; then
            for pid in $(apiserver_pids); do
                if [ -z "$2" ] || [ "$(hash_of "/proc/$pid/cmdline")" = "$2" ]; then
                    say "health: /livez and /readyz say ok three times"
                    return
                fi
            done
            good=0
        fi
        if crash_loops; then problem="the API server cannot start"; return 1; fi
        sleep 1
    done
    problem="/livez and /readyz did not say ok three times in a row within $3 s"
    return 1
}

# newest_log: the newest container log of a kube-apiserver pod that began after the swap.
newest_log() {
    find /var/log/pods -path '*/kube-system_kube-apiserver-*/kube-apiserver/*.log' -newer "$STATE/swapped" \
        -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -n 1 | cut -d ' ' -f 2-
}

# last_words: the last lines of all containers of that pod; the newest one alone may not have said anything yet.
last_words() {
    log=$(newest_log)
    [ -n "$log" ] || return 0
    find "$(dirname "$log")" -name '*.log' | sort -V | while IFS= read -r file; do cat "$file"; done |
        tail -n 20 | sed 's/^[^ ]* std[a-z]* [FP] //'
}

# container_logs: a line "FOLDER NUMBER" for each container log of the API server's pods. kubelet numbers the starts of a
# pod's container from 0, goes on counting when the same manifest comes back (it is the same pod), and keeps the last few.
container_logs() {
    find /var/log/pods -path '*/kube-system_kube-apiserver-*/kube-apiserver/*.log' 2>/dev/null |
        sed -n 's|^\(.*\)/\([0-9]*\)\.log$|\1 \2|p'
}

# Whether the new pod's container has been started a third time since the swap.
crash_loops() {
    [ -e "$STATE/swapped" ] || return 1
    newest=$(newest_log)
    [ -n "$newest" ] || return 1
    number=${newest##*/}
    first=$(awk -v folder="${newest%/*}" '$1 == folder && $2 >= first { first = $2 + 1 } END { print first + 0 }' "$STATE/swapped")
    [ "${number%.log}" -ge $((first + 2)) ]
}

# marker_arrives ENDPOINT LOG: a request that the policy records, found in the log. It is a dry run: nothing is made.
marker_arrives() {
    marker=kubernetes-audit-$(date +%s)-$$
    # Its answer does not matter: a request that admission refuses is recorded as well.
    api "$1" --request-timeout=10s -n kube-system create configmap "$marker" --dry-run=server >/dev/null 2>&1
    tries=0
    while [ "$tries" -lt 40 ]; do
        if tail -c 1048576 "$2" 2>/dev/null | grep -q "$marker"; then
            say "marker: recorded in $2"
            return
        fi
        tries=$((tries + 1))
        sleep 0.5
    done
    problem="the API server answered but a request that the policy records is not in $2"
    return 1
}

restore_files() {
    cp "$backup/kube-apiserver.yaml" "$STATE/staged/put-back.yaml" || { problem="cannot read $backup"; return 1; }
    if [ -f "$backup/audit-policy.yaml" ]; then put "$backup/audit-policy.yaml" "$policy" 600; fi
    if [ "$(hash_of "$MANIFEST")" != "$(hash_of "$backup/kube-apiserver.yaml")" ]; then
        swap "$STATE/staged/put-back.yaml" || { problem="cannot put $backup/kube-apiserver.yaml back"; return 1; }
    fi
    if [ ! -f "$backup/audit-policy.yaml" ]; then rm -f "$policy"; fi
}

# put_back REASON: the files as they were, the old API server again, and an error that holds the API server's own words.
put_back() {
    why=$1
    say "failed: $why; the earlier manifest and policy are put back"
    words=$(last_words)
    restore_files || fail "$why. And the way back failed: $problem"
    rm -f "$STATE/swapped"
    wait_for_health "$endpoint" "$(journal arguments-before)" "$timeout" || fail "$why. The earlier files are back, but: $problem"
    rm -f "$STATE/journal"
    fail "$why. The earlier manifest runs again. The API server's last words:
${words:-(none: it wrote no log)}"
}
