# shellcheck shell=sh disable=SC2034,SC2154
# Whether the cluster can spare an API server for a while: what API servers, etcd and nodes say of themselves.
#
# Each thing that is looked at is one line: a state (ok, bad or unknown), a kind (api, etcd, node or endpoint), its URL or
# name, and, unless the state is ok, a sentence. API servers and etcd are asked without credentials, nodes as the administrator.

# ask URL: sets $code to the status of the answer, 000 where nothing answers, and $answer to its text. Nothing secret is sent,
# so whose certificate it is does not matter. $code is empty where the node has no curl.
ask() {
    code=
    command -v curl >/dev/null || return 0
    answer=$(strangers_curl 5 -k -w '\n%{http_code}' "$1" 2>/dev/null)
    code=${answer##*"$line_break"} answer=${answer%"$line_break"*}
}

# look_at_api URL: whether the API server there is ready, and which of its own checks say that it is not.
look_at_api() {
    ask "$1/readyz?verbose"
    case $code in
        200)
            say "ok api $1"
            return
            ;;
        000) answer=refused ;;
        # Anonymous requests are off (--anonymous-auth=false), or there is no curl.
        '' | 401 | 403)
            if answer=$(api "$1" --request-timeout=5s get --raw '/readyz?verbose' 2>&1); then
                say "ok api $1"
                return
            fi
            ;;
    esac
    failing=$(printf '%s\n' "$answer" | grep -o '\[-\][A-Za-z0-9/_.-]*' | cut -c 4- | paste -s -d , - | sed 's/,/, /g')
    case $failing:$code:$answer in
        [!:]*) say "bad api $1 the API server at $1 is not ready: these checks of its own fail: $failing" ;;
        *x509* | *nauthorized* | *orbidden*)
            say "unknown api $1 whether the API server at $1 is ready is not known: it does not tell this node"
            ;;
        :5*) say "bad api $1 the API server at $1 is not ready: it answers with status $code" ;;
        *refused* | *nable*to*connect* | *timeout* | *exceeded* | *EOF*) say "bad api $1 the API server at $1 does not answer" ;;
        *) say "unknown api $1 whether the API server at $1 is ready is not known: it answers with status ${code:-none}" ;;
    esac
}

# own_api: the URL of this node's API server as clients and other nodes know it.
own_api() {
    advertised=$(manifest_flag advertise-address) listens=$(manifest_flag secure-port)
    say "https://$(in_brackets "${advertised:-127.0.0.1}"):${listens:-6443}"
}

# look_at_etcd: what the etcd of this node says of itself, its leader and the cluster's alarms, at the address that kubeadm
# gives it for probes. Of an etcd elsewhere the API server's own check tells.
look_at_etcd() {
    [ -f "$MANIFESTS/etcd.yaml" ] || return 0
    probed=$(sed -n 's/.*--listen-metrics-urls=\([^" ]*\).*/\1/p' "$MANIFESTS/etcd.yaml" | tr , '\n' | grep -m 1 '^http://')
    if [ -z "$probed" ]; then
        say "unknown etcd - whether etcd of this node is healthy is not known: its --listen-metrics-urls names no http:// address"
        return
    fi
    ask "$probed/health"
    if [ -z "$code" ]; then
        if answer=$(kubectl --kubeconfig /dev/null --server "$probed" --request-timeout=5s get --raw /health 2>&1); then
            code=200
        else
            case $answer in *refused* | *nable*to*connect* | *timeout* | *exceeded*) code=000 ;; *) code=503 ;; esac
        fi
    fi
    reason=$(printf '%s\n' "$answer" | sed -n 's/.*"reason":"\([^"]*\)".*/\1/p')
    case $code in
        200) say "ok etcd $probed" ;;
        000) say "bad etcd $probed etcd of this node does not answer at $probed" ;;
        5*) say "bad etcd $probed etcd of this node is not healthy: ${reason:-it gives no reason}" ;;
        *) say "unknown etcd $probed whether etcd of this node is healthy is not known: $probed/health answers with status $code" ;;
    esac
}

# look_at_nodes: of each line NAME STATUS REASON on standard input whether that node is Ready.
look_at_nodes() {
    while read -r name ready reason; do
        case $name:$ready in
            :*) ;;
            *:True) say "ok node $name" ;;
            *:False | *:Unknown) say "bad node $name the node $name is not Ready: ${reason:-it gives no reason}" ;;
            *) say "unknown node $name whether the node $name is Ready is not known" ;;
        esac
    done
}

NODE_READINESS='{.metadata.name} {.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].reason}{"\n"}'
# kubeadm's own note of where an API server listens.
API_ENDPOINT='{.metadata.annotations.kubeadm\.kubernetes\.io/kube-apiserver\.advertise-address\.endpoint}'

# look_at_cluster [without=NAME,...]: all of it as this node sees it, the other API servers at their own addresses too, but for
# the nodes NAME, which are gone for good. This node and its API server are left out where none runs: the change may be what
# brings it back, and kubelet may know no other one (ControlPlaneKubeletLocalMode).
look_at_cluster() {
    without=,$(given without "$@"),
    here=$(own_api)
    if [ -n "$(apiserver_pids)" ]; then
        look_at_api "$here"
    else
        without=$without$(node_name "$(processes_named kubelet)"),
    fi
    look_at_etcd
    if ! nodes=$(at_endpoint get nodes -l node-role.kubernetes.io/control-plane -o "jsonpath={range .items[*]}$NODE_READINESS{end}"); then
        case $nodes in *orbidden* | *nauthorized*) found=unknown ;; *) found=bad ;; esac
        say "$found endpoint - the cluster's endpoint cannot be asked ($(printf '%s' "$nodes" | tail -n 1))"
        return
    fi
    printf '%s\n' "$nodes" | while read -r name rest; do
        case $without in *,"$name",*) ;; *) say "$name $rest" ;; esac
    done | look_at_nodes
    at_endpoint -n kube-system get pods -l component=kube-apiserver \
        -o "jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName} $API_ENDPOINT{\"\\n\"}{end}" |
        while read -r pod name listens; do
            case $without in *,"$name",*) continue ;; esac
            if [ "$pod" = "kube-apiserver-$name" ] && [ -n "$listens" ] && [ "https://$listens" != "$here" ]; then
                look_at_api "https://$listens"
            fi
        done
}

at_endpoint() { kubectl --kubeconfig "$ADMIN_CONF" --request-timeout=10s "$@" 2>&1; }

# await_cluster SECONDS [without=NAME,...]: until nothing is known that speaks against a restart; status 1 with the reason in
# $problem when that takes longer.
await_cluster() {
    deadline=$(($(uptime_seconds) + $1)) waits=
    shift
    while :; do
        seen=$(look_at_cluster "$@")
        problem=$(printf '%s\n' "$seen" | sed -n 's/^bad [^ ]* [^ ]* //p' | sed '$!s/$/;/' | tr '\n' ' ')
        problem="the cluster is not healthy: ${problem% }"
        case $line_break$seen in *"${line_break}bad "*) ;; *) break ;; esac
        [ "$(uptime_seconds)" -lt "$deadline" ] || return 1
        [ -n "$waits" ] || say "waiting: $problem"
        waits=yes
        sleep 2
    done
    printf '%s\n' "$seen" | sed -n 's/^unknown [^ ]* [^ ]* /cluster: /p'
}

# await_ready_node: until the cluster has heard of this node since its API server started and sees it as Ready, for 90 seconds at
# most. kubelet may know no API server but this node's (ControlPlaneKubeletLocalMode): while that was away it could not tell,
# and for up to 45 seconds more it may wait on a connection to the one that is gone (HTTP2_READ_IDLE_TIMEOUT_SECONDS and
# HTTP2_PING_TIMEOUT_SECONDS in k8s.io/apimachinery, pkg/util/net/http.go). Then the node is Unknown, and the next run would
# be refused for what this one did. For some seconds a load balancer may still send requests to an API server that is gone. If
# the cluster does not say, the wait ends.
await_ready_node() {
    own_name=$(node_name "$(processes_named kubelet)")
    deadline=$(($(uptime_seconds) + 90)) patience=5
    while [ "$(uptime_seconds)" -lt "$deadline" ]; do
        case $(at_endpoint get node "$own_name" -o "jsonpath=$NODE_READINESS") in
            "$own_name True "*)
                silence=$(silence_of "$own_name")
                [ "${silence:-31}" -gt "$(seconds_of_api_server)" ] || break
                [ -n "$silence" ] || patience=$((patience - 1))
                ;;
            "$own_name "*) ;;
            *orbidden* | *nauthorized* | *"not found"*) break ;;
            *) patience=$((patience - 1)) ;;
        esac
        [ "$patience" -gt 0 ] || break
        sleep 2
    done
}

# seconds_of_api_server: for how long the newest API server of this node has run, 30 at most.
seconds_of_api_server() {
    newest=0
    for pid in $(apiserver_pids); do
        began=$(started "$pid")
        if [ "${began:-0}" -gt "$newest" ]; then newest=$began; fi
    done
    runs_for=$(($(date +%s) - newest))
    if [ "$runs_for" -lt 0 ] || [ "$runs_for" -gt 30 ]; then runs_for=30; fi
    say "$runs_for"
}

# silence_of NODE: how many seconds ago its kubelet renewed its lease, which it does every ten seconds; nothing where the cluster
# does not say. Both times are by this node's clock.
silence_of() {
    renewed=$(at_endpoint -n kube-node-lease get lease "$1" -o 'jsonpath={.spec.renewTime}') &&
        renewed=$(date -u -d "$(printf %s "$renewed" | sed 's/T/ /; s/[.Z].*//')" +%s 2>/dev/null) &&
        say $(($(date +%s) - renewed))
}

# turns [earlier=NAME,...] [later=NAME,...]: what is done of the stack, and what is not, when this node cannot have its turn.
turns() {
    earlier=$(given earlier "$@") later=$(given later "$@")
    say "nothing was changed on this node${later:+, nor on $later, which would come after it}${earlier:+. Done, unless left \
out by --target: $earlier}"
}
