# shellcheck shell=sh disable=SC2034,SC2154
# The worker: a process that no lost connection ends. The command that the operator waits for only shows its messages.

# detached COMMAND ARGUMENTS...: runs it in the worker, shows what it says, returns its status.
detached() {
    rm -f "$STATE/status"
    : >"$STATE/messages"
    launch work "$@" >>"$STATE/messages" 2>&1 </dev/null &
    show_messages_of "$(identity "$!")"
    status=$(cat "$STATE/status" 2>/dev/null) ||
        fail "the change was cut off; its guard on the node brings it to an end. Run again to finish and to see the result"
    [ "$status" = 0 ] || exit "$status"
}

# show_messages_of IDENTITY: what the worker says, until it has ended. The tail of busybox cannot wait for a process.
show_messages_of() {
    shown=0 working=yes
    while [ -n "$working" ]; do
        alive "$1" || working=
        there=$(wc -c <"$STATE/messages")
        if [ "$there" -gt "$shown" ]; then
            tail -c "+$((shown + 1))" "$STATE/messages" | head -c "$((there - shown))" || return 0
            shown=$there
        fi
        [ -z "$working" ] || sleep 0.3
    done
}

# launch COMMAND ARGUMENTS...: becomes a process of this script in a session of its own, and in a scope of its own where
# systemd runs, which else may end it together with the operator's session (KillUserProcesses in logind.conf).
launch() {
    if systemd_runs && systemd-run --scope --quiet --collect true 2>/dev/null; then
        exec systemd-run --scope --quiet --collect setsid sh "$STATE/node.sh" "$@"
    fi
    exec setsid sh "$STATE/node.sh" "$@"
}

# work COMMAND ARGUMENTS...: the worker. The lock's descriptor came with it.
work() {
    trap 'status=$?; stop_prober; echo "$status" >"$STATE/status.new" && mv "$STATE/status.new" "$STATE/status"' EXIT
    worker=$(identity "$$")
    "$@"
}
