# shellcheck shell=sh disable=SC2034,SC2154
# The redirect: while the API server restarts, new connections to this node's API go to the canary.
#
# It is a chain (nft: a table) of the node's nat table with a name of its own, so that taking it away takes nothing else.
# Connections that stand are not touched. Loopback stays direct: there the real API server is watched.

REDIRECT=KUBERNETES-AUDIT
# How long it is tried to take the redirect away.
WITHDRAW_SECONDS=60

# redirect_tools: what makes it here: those of iptables, else nft.
redirect_tools() {
    case $(redirect_tool) in iptables) table_tools | tr '\n' ' ' ;; *) redirect_tool ;; esac
}

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
            redirect_by_iptables "$other" "$2" "" REDIRECT --to-ports "$3" ||
                withdraw_chain "$iptables" nat "$REDIRECT" PREROUTING OUTPUT
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
    $iptables -w "$TABLES_SECONDS" -t nat -N "$REDIRECT" &&
        { [ -z "$service_address" ] ||
            $iptables -w "$TABLES_SECONDS" -t nat -A "$REDIRECT" -p tcp -d "$service_address" --dport 443 -j "$@"; } &&
        $iptables -w "$TABLES_SECONDS" -t nat -A "$REDIRECT" -p tcp ! -d "$loopback" -m addrtype --dst-type LOCAL --dport "$listens" -j "$@" &&
        $iptables -w "$TABLES_SECONDS" -t nat -I PREROUTING -j "$REDIRECT" &&
        $iptables -w "$TABLES_SECONDS" -t nat -I OUTPUT -j "$REDIRECT"
}

# redirect_by_nft 4|6 PORT SERVICE-ADDRESS TARGET
redirect_by_nft() {
    case $1 in 4) family=ip loopback=127.0.0.0/8 ;; 6) family=ip6 loopback=::1 ;; esac
    nft -f - <<RULES
table $family $REDIRECT {
    chain to-canary {
        ${3:+$family daddr $3 tcp dport 443 $4}
        $family daddr != $loopback fib daddr type local tcp dport $2 $4
    }
    chain from-outside { type nat hook prerouting priority -110; jump to-canary; }
    chain from-inside { type nat hook output priority -110; jump to-canary; }
}
RULES
}

# is_redirected: whether the redirect is in place, wholly or in part. A tool that made it and does not say what there is counts
# as a yes.
is_redirected() {
    for tool in $(table_tools) nft; do
        command -v "$tool" >/dev/null || continue
        if rules=$(nat_rules "$tool"); then
            if printf '%s\n' "$rules" | grep -qx -e "-N $REDIRECT" -e "table ip6\{0,1\} $REDIRECT"; then return 0; fi
        elif is_among "$tool" "$(journal redirect)"; then
            return 0
        fi
    done
    return 1
}

nat_rules() {
    case $1 in nft) nft list tables ;; *) "$1" -w "$TABLES_SECONDS" -t nat -S ;; esac
} 2>/dev/null

# withdraw_redirect: the redirect and nothing else goes. A rule that stayed would lead everybody to a canary that is no more,
# while all is well on loopback: until the rules are gone and the API server itself answers from outside it is tried again.
withdraw_redirect() {
    deadline=$(($(uptime_seconds) + WITHDRAW_SECONDS)) status=0
    withdraw_rules
    until ! is_redirected && answers_directly "$(journal through)"; do
        if [ "$(uptime_seconds)" -ge "$deadline" ]; then
            status=1
            problem="the redirect $REDIRECT cannot be taken away from the nat table; connections to this node's API fail \
until it is gone (iptables -t nat -S $REDIRECT; nft list tables)"
            break
        fi
        sleep 0.5
        withdraw_rules
    done
    [ -n "${prober:-}" ] || come_inside
    return "$status"
}

# answers_directly URL: whether the one that answers there from outside is the API server itself and not the canary, by their
# own times of start. True where that cannot be seen: of no URL, from no place outside, while no API server runs. One that runs
# and does not say is asked again.
answers_directly() {
    [ -n "$1" ] || return 0
    direct=$(started_at "$(journal endpoint)")
    if [ -z "$direct" ]; then
        [ -z "$(apiserver_pids)" ]
        return
    fi
    if [ -z "${outside:-}" ] && ! make_outside "$1"; then return 0; fi
    [ "$(from_outside started_at "$1")" = "$direct" ]
}

# started_at URL: when the API server that answers there was started, as it says itself; nothing where it does not.
started_at() { api "$1" --request-timeout=10s get --raw /metrics 2>/dev/null | sed -n 's/^process_start_time_seconds //p'; }

withdraw_rules() {
    for tool in $(table_tools); do withdraw_chain "$tool" nat "$REDIRECT" PREROUTING OUTPUT; done
    if command -v nft >/dev/null; then
        for family in ip ip6; do nft delete table "$family" "$REDIRECT" 2>/dev/null; done
    fi
    return 0
}
