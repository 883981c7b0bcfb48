# shellcheck shell=sh disable=SC2034,SC2154
# Whether an API server answers.

# api ENDPOINT ARGUMENTS...: kubectl as the node's own administrator, to the API server at ENDPOINT and no other; from outside
# the host where $asked_from says so.
api() {
    server=$1
    shift
    # shellcheck disable=SC2086  # a command of several words, or none
    ${asked_from:-} kubectl --kubeconfig "$ADMIN_CONF" --server "$server" --tls-server-name kubernetes "$@"
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
