# shellcheck shell=sh disable=SC2034,SC2154
# The canary: a second API server with the new manifest and policy, run by kubelet on a port of its own. It shows whether
# the API server can start with them before the running one is touched, and may then answer in its place.

CANARY=kube-apiserver-canary
# CANARY_PORTS, MEMORY_PERCENT and MEMORY_RESERVE, in KiB, stand in auditlog/nodes/second_api_server.py, which plans by them.

canary_file() { printf '%s\n' "$MANIFESTS/$CANARY.yaml"; }

# rehearse: starts the canary and has it write a marker event. It is ended again where nothing else needs it. Where none can
# be had, the change goes on without one, and says so.
rehearse() {
    if [ "$rehearsal" != yes ] && [ "$mode" != seamless ]; then
        say "rehearsal: none, as the plan said"
        return
    fi
    if ! canary_is_possible; then
        say "rehearsal: none, because $problem"
        if [ "$mode" = seamless ]; then
            mode=drain
            say "restart: drain in place of seamless, because there is no canary"
        fi
        return
    fi
    start_canary || return 1
    rehearsed=true
    say "rehearsal: an API server with the new manifest and policy is ready on port $canary_port"
    if [ "$marker" = yes ] && [ -n "$canary_log" ]; then
        marker_arrives "https://127.0.0.1:$canary_port" "$canary_log" || return 1
    fi
    [ "$mode" = seamless ] || end_canary 0
}

# canary_is_possible: sets $canary_port, whose fence is up then, or the reason in $problem.
canary_is_possible() {
    if [ -z "$canary" ]; then
        problem="no canary can be made from the manifest"
        return 1
    fi
    needed=$(($(resident_kilobytes "$(apiserver_pids)") * MEMORY_PERCENT / 100 + MEMORY_RESERVE))
    available=$(available_kilobytes)
    if [ "$available" -lt "$needed" ]; then
        problem="it takes $((needed / 1024)) MiB of memory and $((available / 1024)) MiB are available"
        return 1
    fi
    for canary_port in $CANARY_PORTS; do
        if ! is_listened_on "$canary_port"; then
            record "canary-port=$canary_port" || return 1
            # One that only rehearses listens on loopback alone.
            if [ "$mode" != seamless ] || fence_canary "$canary_port" "${endpoint##*:}"; then return; fi
            withdraw_fence
            record canary-port=
            return 1
        fi
    done
    problem="the ports $CANARY_PORTS are all taken"
    return 1
}

# resident_kilobytes PIDS: the memory that the largest of these API servers takes; 0 when there is none.
resident_kilobytes() {
    for pid in $1; do
        cat "/proc/$pid/status" 2>/dev/null
    done | awk '$1 == "VmRSS:" && $2 > most { most = $2 } END { printf "%.0f\n", most }'
}

# available_kilobytes: the memory that the node can give to a new process.
available_kilobytes() {
    while read -r what kilobytes _ && [ "$what" != MemAvailable: ]; do :; done </proc/meminfo
    say "$kilobytes"
}

# is_listened_on PORT: whether anything of this network listens there.
is_listened_on() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port="$(printf '%04X' "$1")" '$4 == "0A" { sub(".*:", "", $2); if ($2 == port) found = 1 } END { exit !found }'
}

# start_canary: puts its file where kubelet sees it, whole, and waits until it is ready; its last words in $words when not.
start_canary() {
    problem="the canary's manifest could not be written"
    made=$STATE/staged/$CANARY.yaml
    awk 1 "$STATE/staged/kube-apiserver.yaml" | sed -e "$canary" >"$made" || return 1
    if [ "$(hash_of "$made")" != "$canary_sha256" ]; then
        problem="the canary's manifest came out other than planned"
        return 1
    fi
    sed -e "s/--secure-port=${CANARY_PORTS%% *}/--secure-port=$canary_port/" "$made" >"$made.new" && mv "$made.new" "$made" &&
        note_logs "$CANARY" || return 1
    make_like "$MANIFEST" "$made" && sync "$made" && mv -f "$made" "$(canary_file)" || return 1
    starting=$CANARY problem="the canary API server did not get ready"
    if ! wait_until "$timeout" healthy "https://127.0.0.1:$canary_port"; then
        problem="the rehearsal of the new manifest and policy failed: $problem"
        return 1
    fi
    starting=kube-apiserver
}

# canary_pids PORT: the canary among the API servers, known by the port it listens on.
canary_pids() {
    for pid in $(all_apiserver_pids); do
        if listens_as_canary "$pid" "$1"; then echo "$pid"; fi
    done
}

canary_is_gone() { [ -z "$(canary_pids "$1")" ]; }

# end_canary SECONDS: takes the canary that the journal names away, and ends it where it serves for longer than SECONDS;
# status 1 with the reason in $problem when kubelet would only start it again.
end_canary() {
    canary_port=$(journal canary-port)
    rm -f "$(canary_file)" "$STATE/$CANARY.logs" "$STATE/staged/$CANARY.yaml"
    starting=kube-apiserver
    problem="$(canary_file) cannot be removed"
    [ ! -e "$(canary_file)" ] || return 1
    sync "$MANIFESTS"
    [ -n "$canary_port" ] || return 0
    # Once kubelet has noticed, the canary listens no more; killed before that, it would be started again.
    deadline=$(($(uptime_seconds) + 60))
    while is_listened_on "$canary_port" && [ "$(uptime_seconds)" -lt "$deadline" ]; do sleep 0.5; done
    deadline=$(($(uptime_seconds) + $1)) gone=0
    while [ "$gone" -lt 3 ]; do
        if canary_is_gone "$canary_port"; then gone=$((gone + 1)); else gone=0; fi
        late=$(($(uptime_seconds) - deadline))
        if [ "$gone" = 0 ] && [ "$late" -ge 0 ]; then
            for pid in $(canary_pids "$canary_port"); do kill -KILL "$pid"; done
        fi
        if [ "$late" -ge 60 ]; then
            problem="its process does not end"
            return 1
        fi
        sleep 1
    done
    withdraw_fence
    record canary-port=
}
