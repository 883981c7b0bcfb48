# shellcheck shell=sh disable=SC2034,SC2154
# The change of a node: policy and manifest both new and running, or both as they were. It runs in the worker.
#
# Every step is written to the journal before it is done; at whatever step the worker, its guard or the machine ends,
# the journal says what to do. Up to swap nothing has been changed; from there on a failure puts everything back.

STEPS="back-up swap old-gone new-running healthy marker own finish"

# transaction PURPOSE ARGUMENTS...: PURPOSE is enable or remove; the arguments are those of apply-manifest or
# restore-manifest, and the files are staged.
transaction() {
    purpose=$1
    shift
    policy=$(argument policy "$@") || exit 1
    policy_desired=$(given policy-desired "$@")
    webhook=$(given webhook "$@")
    webhook_desired=$(given webhook-desired "$@")
    arguments=$(argument arguments "$@") || exit 1
    endpoint=$(argument endpoint "$@") || exit 1
    timeout=$(argument timeout "$@") || exit 1
    log=$(given log "$@")
    marker=$(given marker "$@")
    desired=$(hash_of "$STATE/staged/kube-apiserver.yaml")
    begin "$(given arguments-before "$@" || running_arguments)"
    keep_guard
    reached=
    for name in $STEPS; do
        if [ "$name" = "$first_step" ]; then reached=1; fi
        if [ -z "$reached" ]; then continue; fi
        take_step "$name" "$@" || give_up
    done
}

# take_step NAME ARGUMENTS...: records the step and does it. Once files have changed, a journal that cannot be written, as on a full
# disk, still says enough: an earlier step.
take_step() {
    problem="cannot write $STATE/journal"
    step "$1" || files_may_have_changed || return 1
    keep_guard
    name=$1
    shift
    case $name in
        back-up) back_up "$policy" "$webhook" && keep_before "$MANIFEST" "$policy" "$webhook" && record "backup=$backup" && keep_kubeadm_config ;;
        swap) put_in_place ;;
        old-gone) await_old_gone ;;
        new-running) await_new_running ;;
        healthy) wait_for_health "$endpoint" "$arguments" "$timeout" && say "health: /livez and /readyz say ok three times" ;;
        marker) [ "$marker" != yes ] || marker_arrives "$endpoint" "$log" ;;
        own) take_or_leave "$@" ;;
        finish) finish ;;
    esac
}

# begin ARGUMENTS-BEFORE: opens the journal, or goes on with that of a change that was cut off; sets $first_step,
# $before, the processes that must go, and $resumed_at.
begin() {
    boot=$(cat /proc/sys/kernel/random/boot_id)
    before=$(apiserver_pids | tr '\n' ' ')
    report_guard
    if files_may_have_changed; then
        resume
        return
    fi
    if [ -e "$STATE/journal" ]; then
        say "resume: an earlier change of this node was cut off; the files are as they were before it"
        rm -f "$STATE/journal"
    fi
    first_step=${STEPS%% *} resumed_at=
    record step="$first_step" worker="$worker" boot="$boot" processes="$before" arguments="$arguments" \
        arguments-before="$1" desired="$desired" policy="$policy" policy-desired="$policy_desired" \
        webhook="$webhook" webhook-desired="$webhook_desired" endpoint="$endpoint" timeout="$timeout" ||
        fail "cannot write $STATE/journal; nothing was changed"
}

# resume: the backup of the earlier change, and not the half-changed files of now, is the last state known to work. Where
# its files are those of this change too, the processes of its beginning are the ones that must go.
resume() {
    backup=$(journal backup) resumed_at=$(journal step) first_step=swap
    [ -f "$backup/kube-apiserver.yaml" ] || fail "$STATE/journal names the backup $backup, which is not there"
    say "resume: an earlier change of this node was cut off; its backup $backup stays the one to fall back to"
    if [ "$resumed_at" != put-back ] && is_in_place; then
        if [ "$(journal boot)" = "$boot" ]; then before=$(journal processes); else before=; fi
    else
        resumed_at=put-back
    fi
    record worker="$worker" boot="$boot" processes="$before" arguments="$arguments" desired="$desired" policy="$policy" \
        policy-desired="$policy_desired" webhook="$webhook" webhook-desired="$webhook_desired" endpoint="$endpoint" \
        timeout="$timeout" || fail "cannot write $STATE/journal; the node stays as it is"
}

# is_in_place: whether the files are the ones of this change already.
is_in_place() {
    [ "$(hash_of "$MANIFEST")" = "$desired" ] && is_as_desired "$policy" "$policy_desired" &&
        is_as_desired "$webhook" "$webhook_desired"
}

# put_in_place: policy and manifest, one rename each. Where the manifest stays the same kubelet restarts nothing, and the
# process that has the old policy must end.
put_in_place() {
    problem="the new files could not be written"
    terminates=
    if [ "$(hash_of "$MANIFEST")" = "$desired" ]; then
        case $resumed_at in
            "" | put-back) terminates=1 ;;
            swap) if [ "$(hash_of "$backup/kube-apiserver.yaml")" = "$desired" ]; then terminates=1; fi ;;
        esac
    fi
    container_logs >"$STATE/swapped" || return 1
    if [ -n "$policy_desired" ]; then put "$STATE/staged/audit-policy.yaml" "$policy" 600 || return 1; fi
    if [ -n "$webhook_desired" ]; then put "$STATE/staged/audit-webhook.yaml" "$webhook" 600 || return 1; fi
    swap "$STATE/staged/kube-apiserver.yaml" || return 1
    if [ -n "$terminates" ]; then
        say "restart: the manifest is the same, the process is ended for kubelet to start it anew"
        for pid in $(apiserver_pids); do
            case " $before " in *" $pid "*) kill -TERM "$pid" ;; esac
        done
    fi
    say "swap: done; kubelet ends the old API server and starts the new one"
}

await_old_gone() {
    problem="the old API server has not ended"
    wait_until "$timeout" old_are_gone "$before" && say "process: the old one is gone"
}

await_new_running() {
    problem="no API server with the manifest's arguments"
    wait_until "$timeout" new_runs "$before" "$arguments" && say "process: $new runs with exactly the manifest's arguments"
}

# take_or_leave ARGUMENTS...: from now on this node's audit logging is the stack's, or nobody's.
take_or_leave() {
    problem="$STATE/owner cannot be written"
    if [ "$purpose" = enable ]; then
        own "$@" && record_change "$@"
    else
        rm -f "$STATE/before/kube-apiserver.yaml" "$STATE/owner" "$STATE/owned" "$STATE/written/manifest" \
            "$STATE/written/policy"
    fi
}

finish() {
    problem="$STATE/journal cannot be removed"
    rm -f "$STATE/swapped"
    close_journal || return 1
    if [ "$purpose" = enable ]; then
        say "manifest: running and healthy; backup $backup"
    else
        say "manifest: as it was before audit logging; backup $backup"
    fi
}

# give_up: the files as they were, the old API server again, and an error that holds the API server's own words.
give_up() {
    why=$problem
    if ! files_may_have_changed; then
        close_journal
        fail "$why; nothing was changed"
    fi
    say "failed: $why; the earlier manifest and policy are put back"
    words=$(last_words)
    go_back || fail "$why. And the way back failed: $problem"
    close_journal
    fail "$why. The earlier manifest runs again. The API server's last words:
${words:-(none: it wrote no log)}"
}

# report_guard: what the guard of an earlier change did, told once.
report_guard() {
    if [ -s "$STATE/guard-messages" ]; then sed 's/^/guard: /' "$STATE/guard-messages"; fi
    rm -f "$STATE/guard-messages"
}
