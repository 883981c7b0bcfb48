# shellcheck shell=sh disable=SC2034,SC2154
# The redirect: while the API server restarts, new connections to this node's API go to the canary.
#
# It is a chain (nft: a table) of the node's nat table with a name of its own, so that taking it away takes nothing else.
# Connections that stand are not touched. Loopback stays direct: there the real API server is watched.

REDIRECT=KUBERNETES-AUDIT

# redirect_tool: iptables, else nft; status 1 when the node has neither.
redirect_tool() {
    for tool in iptables nft; do
        if command -v "$tool" >/dev/null; then
            echo "$tool"
            return
        fi
    done
    return 1
}

# redirect ADDRESS PORT CANARY-PORT: connections to any of the node's addresses at PORT, and to the cluster address of the
# API, go to ADDRESS at CANARY-PORT. The address is the one of this node, and decides which kind of IP is a must.
redirect() {
    problem="the node cannot redirect connections ($(redirect_tool || echo 'neither iptables nor nft'))"
    service=$(api "$endpoint" --request-timeout=5s -n default get service kubernetes -o 'jsonpath={.spec.clusterIP}' 2>/dev/null)
    case $1 in *:*) own=6 other=4 ;; *) own=4 other=6 ;; esac
    case $service in *:*) service_family=6 ;; *.*) service_family=4 ;; *) service_family= ;; esac
    [ "$service_family" = "$own" ] || service=
    case $(redirect_tool) in
        iptables)
            redirect_by_iptables "$own" "$2" "$service" DNAT --to-destination "$(in_brackets "$1"):$3" || return 1
            redirect_by_iptables "$other" "$2" "" REDIRECT --to-ports "$3" || withdraw_by_iptables "$other"
            ;;
        nft)
            redirect_by_nft "$own" "$2" "$service" "dnat to $(in_brackets "$1"):$3" || return 1
            redirect_by_nft "$other" "$2" "" "redirect to :$3"
            ;;
        *) return 1 ;;
    esac 2>/dev/null
    return 0
}

in_brackets() {
    case $1 in *:*) printf '[%s]\n' "$1" ;; *) printf '%s\n' "$1" ;; esac
}

# redirect_by_iptables 4|6 PORT SERVICE-ADDRESS TARGET...
redirect_by_iptables() {
    case $1 in 4) iptables=iptables loopback=127.0.0.0/8 ;; 6) iptables=ip6tables loopback=::1/128 ;; esac
    listens=$2 service_address=$3
    shift 3
    $iptables -w -t nat -N "$REDIRECT" &&
        { [ -z "$service_address" ] ||
            $iptables -w -t nat -A "$REDIRECT" -p tcp -d "$service_address" --dport 443 -j "$@"; } &&
        $iptables -w -t nat -A "$REDIRECT" -p tcp ! -d "$loopback" -m addrtype --dst-type LOCAL --dport "$listens" -j "$@" &&
        $iptables -w -t nat -I PREROUTING -j "$REDIRECT" &&
        $iptables -w -t nat -I OUTPUT -j "$REDIRECT"
}

# redirect_by_nft 4|6 PORT SERVICE-ADDRESS TARGET
redirect_by_nft() {
    case $1 in 4) family=ip loopback=127.0.0.0/8 ;; 6) family=ip6 loopback=::1 ;; esac
    nft -f - <<RULES
table $family $REDIRECT {
    chain redirect {
        ${3:+$family daddr $3 tcp dport 443 $4}
        $family daddr != $loopback fib daddr type local tcp dport $2 $4
    }
    chain from-outside { type nat hook prerouting priority -110; jump redirect; }
    chain from-inside { type nat hook output priority -110; jump redirect; }
}
RULES
}

# is_redirected: whether the redirect is in place, wholly or in part.
is_redirected() {
    for command in iptables ip6tables; do
        if command -v "$command" >/dev/null && "$command" -w -t nat -S "$REDIRECT" >/dev/null 2>&1; then return; fi
    done
    command -v nft >/dev/null && nft list tables 2>/dev/null | grep -qw "$REDIRECT"
}

# withdraw_redirect: the redirect and nothing else goes. It is looked for afterwards, and taken away again, for ten seconds: one
# that stayed would lead everybody to a canary that is no more, while all is well on loopback.
withdraw_redirect() {
    tries_left=20
    while is_redirected; do
        if [ "$tries_left" = 0 ]; then
            problem="the redirect $REDIRECT cannot be taken away from the nat table; connections to this node's API fail \
until it is gone (iptables -t nat -S $REDIRECT; nft list tables)"
            return 1
        fi
        tries_left=$((tries_left - 1))
        withdraw_rules
        is_redirected || return 0
        sleep 0.5
    done
}

withdraw_rules() {
    if command -v iptables >/dev/null; then withdraw_by_iptables 4; fi
    if command -v ip6tables >/dev/null; then withdraw_by_iptables 6; fi
    if command -v nft >/dev/null; then
        for family in ip ip6; do nft delete table "$family" "$REDIRECT" 2>/dev/null; done
    fi
    return 0
}

withdraw_by_iptables() {
    case $1 in 4) iptables=iptables ;; 6) iptables=ip6tables ;; esac
    for from in PREROUTING OUTPUT; do
        while $iptables -w -t nat -D "$from" -j "$REDIRECT" 2>/dev/null; do :; done
    done
    $iptables -w -t nat -F "$REDIRECT" 2>/dev/null
    $iptables -w -t nat -X "$REDIRECT" 2>/dev/null
    return 0
}
