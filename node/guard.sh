# shellcheck shell=sh disable=SC2034,SC2154
# The guard: a second process that watches the worker. When the worker dies, whatever killed it, the guard waits until
# the API server that the worker put in place is ready, or puts manifest and policy back, and only then takes the redirect
# and the canary away. It leaves the journal, so that
# the next run finishes the change and reports. Both may die at any moment: the journal then tells the next run the rest.

# keep_guard: the worker sees to it that a guard lives.
keep_guard() {
    if [ -z "${worker:-}" ] || alive "${guard:-}"; then return; fi
    launch guard worker="$worker" >>"$STATE/guard-messages" 2>&1 </dev/null 9>&- &
    guard=$(identity "$!")
}

# guard worker=PID:START
guard() {
    watched=$(argument worker "$@") || exit 1
    while alive "$watched"; do sleep 0.5; done
    [ -e "$STATE/journal" ] || return 0
    exec 9>"$STATE/lock"
    flock 9
    # An operator who ran again meanwhile has finished the change.
    [ "$(journal worker)" = "$watched" ] || return 0
    bring_in_order
}

# bring_in_order: from whatever step the worker was at to a running API server with the new files or with the old ones.
bring_in_order() {
    come_inside
    reached=$(journal step)
    say "the change was cut off at the step $reached"
    if ! files_may_have_changed; then
        say "no file had been changed"
        dismiss_canary 0
    elif [ "$reached" != put-back ] && files_are_in_place && new_one_gets_ready; then
        say "the new API server is ready"
        dismiss_canary "$DRAIN_SECONDS"
    else
        [ "$reached" = put-back ] || say "${problem:-not every file was in place}"
        go_back && say "the earlier manifest and policy are back${left_alone:+ but for$left_alone}, and their API server is ready"
    fi
}

# desired_are_live: whether the files of the journal are the live ones.
desired_are_live() {
    [ "$(hash_of "$MANIFEST")" = "$(journal desired)" ] || return 1
    for kind in $KINDS; do
        is_as_desired "$(journal "$kind")" "$(journal "$kind-desired")" || return 1
    done
}

# files_are_in_place: the same, and kubelet sees a new manifest.
files_are_in_place() {
    desired_are_live || return 1
    case $(journal step) in quarantine | swap) [ "$(hash_of "$(journal backup)/kube-apiserver.yaml")" != "$(journal desired)" ] ;; esac
}

new_one_gets_ready() {
    problem="no API server with the manifest's arguments"
    wait_until "$(journal timeout)" old_are_gone "$(journal processes)" &&
        wait_until "$(journal timeout)" new_runs "$(journal processes)" "$(journal arguments)" &&
        wait_for_health "$(journal endpoint)" "$(journal arguments)" "$(journal timeout)"
}

# go_back: the files of the journal's backup again, and an API server that runs with them; the reason in $problem when not.
go_back() {
    step put-back
    backup=$(journal backup)
    restore_files "$backup" && return_strays || return 1
    rm -f "$STATE/kube-apiserver.logs"
    # Of a manifest that somebody else has written, or where kubelet has two, only health can be waited for.
    earlier=
    if [ -z "$left_alone$edited$returned" ]; then earlier=$(journal arguments-before); fi
    if ! wait_for_health "$(journal endpoint)" "$earlier" "$(journal timeout)"; then
        if is_among "$(hash_of "$MANIFEST")" "$(known_texts)"; then return 1; fi
        leave "$MANIFEST"
        wait_for_health "$(journal endpoint)" "" "$(journal timeout)" || return 1
    fi
    stuck=
    dismiss_canary "$DRAIN_SECONDS" || stuck=$problem
    clear_slots
    if [ -n "$left_alone" ]; then record edited=yes || :; fi
    # A full disk takes no entry: the next run then looks at the files once more.
    step restored || :
}
