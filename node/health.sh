# shellcheck shell=sh disable=SC2034,SC2154
# Whether an API server answers, and whether it records.

# api ENDPOINT ARGUMENTS...: kubectl as the node's own administrator, to the API server at ENDPOINT and no other.
api() {
    server=$1
    shift
    kubectl --kubeconfig "$ADMIN_CONF" --server "$server" --tls-server-name kubernetes "$@"
}

healthy() {
    [ "$(api "$1" --request-timeout=2s get --raw /livez 2>/dev/null)" = ok ] &&
        [ "$(api "$1" --request-timeout=2s get --raw /readyz 2>/dev/null)" = ok ]
}

# healthy_three_times ENDPOINT ARGUMENTS: whether /livez and /readyz say ok three times, a second apart, of a process with
# these arguments (any when empty).
healthy_three_times() {
    healthy "$1" && sleep 1 && healthy "$1" && sleep 1 && healthy "$1" && { [ -z "$2" ] || new_runs "" "$2"; }
}

# wait_for_health ENDPOINT ARGUMENTS TIMEOUT
wait_for_health() {
    problem="/livez and /readyz did not say ok three times in a row"
    wait_until "$3" healthy_three_times "$1" "$2"
}

# marker_arrives ENDPOINT LOG: a request that the policy records, found in the log, or, where LOG is -, in what the new API
# server's container wrote to its standard output. It is a dry run: nothing is made.
marker_arrives() {
    marker=kubernetes-audit-$(date +%s)-$$
    # Its answer does not matter: a request that admission refuses is recorded as well.
    api "$1" --request-timeout=10s -n kube-system create configmap "$marker" --dry-run=server >/dev/null 2>&1
    tries=0
    while [ "$tries" -lt 40 ]; do
        if [ "$2" = - ]; then events=$(newest_log); else events=$2; fi
        if tail -c 1048576 "$events" 2>/dev/null | grep -q "$marker"; then
            say "marker: recorded in $events"
            return
        fi
        tries=$((tries + 1))
        sleep 0.5
    done
    problem="the API server answered but a request that the policy records is not in $events"
    return 1
}
