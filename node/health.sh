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

# lets_in ENDPOINT SECONDS PATH: whether the API server at ENDPOINT says ok at this path to the administrator.
lets_in() { [ "$(api "$1" --request-timeout="${2}s" get --raw "$3" 2>/dev/null)" = ok ]; }

# is_ok ENDPOINT SECONDS PATH...: whether the API server at ENDPOINT says ok at each path, asked from where $asked_from says.
# A change asks hundreds of times. curl takes a sixth of kubectl's processor time, and sends no credentials, as kubelet's own
# probes do. kubectl asks where there is no curl, where strangers are told nothing (--anonymous-auth=false), and where the
# certificate is not of the cluster's own authority.
is_ok() {
    probe_said=$(ask_as_stranger "$@" 2>/dev/null)
    case $?:$probe_said in
        0:ok200 | "0:ok200${line_break}ok200") return ;;
        0:*40[13]*) ;;
        # It says no, refuses, is too slow, or breaks off.
        0:* | 7:* | 28:* | 35:* | 52:* | 56:*) return 1 ;;
    esac
    probe_endpoint=$1 probe_seconds=$2
    shift 2
    for probe_path in "$@"; do
        lets_in "$probe_endpoint" "$probe_seconds" "$probe_path" || return 1
    done
}

# ask_as_stranger ENDPOINT SECONDS PATH...: a line of each answer's text and status. The certificate must be one for "kubernetes",
# like the one that kubectl asks for.
ask_as_stranger() {
    probe_endpoint=${1#https://} probe_seconds=$2
    shift 2
    for probe_path in "$@"; do
        shift
        set -- "$@" "https://kubernetes:${probe_endpoint##*:}$probe_path"
    done
    strangers_curl "$probe_seconds" --cacert "$AUTHORITY" --connect-to "::$probe_endpoint" -w '%{http_code}\n' "$@"
}

# strangers_curl SECONDS ARGUMENTS...: curl without credentials, past every proxy and the settings of whoever runs it.
strangers_curl() {
    curl_seconds=$1
    shift
    # shellcheck disable=SC2086  # a command of several words, or none
    ${asked_from:-} curl -q -sS --noproxy '*' --max-time "$curl_seconds" --user-agent kubernetes-audit "$@"
}

# healthy ENDPOINT: what strangers are told says nothing of the API server's authentication, so the administrator asks too.
healthy() { is_ok "$1" 2 /livez /readyz && lets_in "$1" 2 /readyz; }

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
