# shellcheck shell=sh disable=SC2034,SC2154
# The host's own firewall. Redirected packets reach the canary under another port, so what the firewall says of the API's port
# no longer holds for them: a seamless restart is only for hosts that let everybody in, and the canary's port is closed
# to everybody who was not redirected.

FENCE=KUBERNETES-AUDIT-CANARY
# How long the lock of the tables, which another program may hold, is waited for.
TABLES_SECONDS=5

# table_tools: those of iptables that the node has.
table_tools() {
    for table_tool in iptables ip6tables; do
        if command -v "$table_tool" >/dev/null; then echo "$table_tool"; fi
    done
}

# firewall_about PORT: why connections to the API at PORT may not be treated alike on another port; nothing where they are.
firewall_about() {
    for table_tool in $(table_tools); do
        rule=$("$table_tool" -w "$TABLES_SECONDS" -t filter -S 2>/dev/null | rules_about "$1" INPUT)
        [ -n "$rule" ] || rule=$("$table_tool" -w "$TABLES_SECONDS" -t nat -S 2>/dev/null | rules_about "$1" PREROUTING OUTPUT)
        if [ -n "$rule" ]; then
            say "the host's firewall has a rule that may concern the API's port ($table_tool $rule)"
            return
        fi
    done
    command -v nft >/dev/null || return 0
    rule=$(nft list ruleset 2>/dev/null | nft_rules_about "$1")
    [ -z "$rule" ] || say "the host's firewall has a rule that may concern the API's port (nft $rule)"
}

# rules_about PORT CHAIN...: the first rule on standard input, as iptables -S prints them, that is reached from these chains and
# may treat connections to PORT otherwise than letting them in. Those of kube-proxy and of network plugins treat all
# ports of the node alike or name other ones; a rule for another port or protocol is none.
rules_about() {
    about=$1
    shift
    awk -v port="$about" -v first="$*" '
        function names_port(rule,    list, parts, count, each, range) {
            if (!match(rule, /--dports? [0-9:,]+/)) return -1
            list = substr(rule, RSTART, RLENGTH)
            sub(/.* /, "", list)
            count = split(list, parts, ",")
            for (each = 1; each <= count; each++) {
                if (split(parts[each], range, ":") == 1) range[2] = range[1]
                if (range[1] + 0 <= port + 0 && port + 0 <= range[2] + 0) return 1
            }
            return 0
        }
        $1 == "-P" { policy[$2] = $3 }
        $1 == "-A" { rules[$2, ++size[$2]] = $0 }
        END {
            count = split(first, queue, " ")
            for (at = 1; at <= count; at++) {
                chain = queue[at]
                if (seen[chain]++ || chain ~ /^(KUBE-|cali-|CILIUM_|FLANNEL-|CNI-|DOCKER|KUBERNETES-AUDIT)/) continue
                if (policy[chain] ~ /DROP|REJECT/) { print "-P " chain " " policy[chain]; exit }
                for (each = 1; each <= size[chain]; each++) {
                    rule = rules[chain, each]
                    if (rule ~ / -p / && rule !~ / -p (tcp|all) /) continue
                    named = names_port(rule)
                    if (named == 0 || rule ~ /--ctstate (INVALID|RELATED|ESTABLISHED)/) continue
                    if (named == 1) { print rule; exit }
                    if (rule ~ / -[jg] (DROP|REJECT|REDIRECT|DNAT|TPROXY)/) { print rule; exit }
                    if (match(rule, / -[jg] [^ ]+/)) {
                        target = substr(rule, RSTART + 4, RLENGTH - 4)
                        if (size[target]) queue[++count] = target
                    }
                }
            }
        }'
}

# nft_rules_about PORT: the same of nft list ruleset: a chain that hooks into input, of a table that is neither iptables' nor
# kube-proxy's nor a network plugin's, and drops, rejects or names the port.
nft_rules_about() {
    awk -v port="$1" '
        $1 == "table" { ours = ($3 ~ /^(filter|nat|mangle|raw|security|kube-proxy|calico|cilium|KUBERNETES-AUDIT.*)$/); table = $2 " " $3 }
        $1 == "chain" { chain = $2; hooked = 0 }
        ours { next }
        /hook input/ { hooked = 1; if (/policy drop/) { print table " " chain " policy drop"; exit } }
        hooked && /(^|[^a-z])(drop|reject)([^a-z]|$)/ && !/dport|ct state invalid/ { gsub(/^[ \t]+/, ""); print table " " chain ": " $0; exit }
        hooked && index($0, "dport " port) { gsub(/^[ \t]+/, ""); print table " " chain ": " $0; exit }'
}

# fence_canary CANARY-PORT PORT: the canary answers on loopback, and connections that were made to PORT, alone.
fence_canary() {
    problem="the canary's port cannot be closed to others ($(redirect_tool || echo 'neither iptables nor nft'))"
    withdraw_fence
    case $(redirect_tool) in
        iptables)
            fence_by_iptables iptables "$@" || return 1
            # The API server listens on both kinds of IP.
            fence_by_iptables ip6tables "$@" || ! has_ip6
            ;;
        nft)
            nft -f - <<RULES
table inet $FENCE {
    chain fence {
        type filter hook input priority -5;
        iifname != "lo" tcp dport $1 ct original proto-dst != $2 reject with tcp reset
    }
}
RULES
            ;;
        *) return 1 ;;
    esac 2>/dev/null
}

# has_ip6: whether anybody else can reach this node by an IPv6 address.
has_ip6() { grep -qv ' lo$' /proc/net/if_inet6 2>/dev/null; }

# fence_by_iptables TOOL CANARY-PORT PORT
fence_by_iptables() {
    "$1" -w "$TABLES_SECONDS" -N "$FENCE" &&
        "$1" -w "$TABLES_SECONDS" -A "$FENCE" ! -i lo -p tcp --dport "$2" -m conntrack ! --ctorigdstport "$3" \
            -j REJECT --reject-with tcp-reset &&
        "$1" -w "$TABLES_SECONDS" -I INPUT -j "$FENCE"
}

withdraw_fence() {
    for tool in $(table_tools); do withdraw_chain "$tool" filter "$FENCE" INPUT; done
    if command -v nft >/dev/null; then nft delete table inet "$FENCE" 2>/dev/null; fi
    return 0
}

# withdraw_chain TOOL TABLE CHAIN FROM...: the chain, and the jumps to it from the chains FROM, as many as there are.
withdraw_chain() {
    with="$1 -w $TABLES_SECONDS -t $2" chain=$3
    shift 3
    for jumping in "$@"; do
        jumps=0
        while [ "$jumps" -lt 20 ] && $with -D "$jumping" -j "$chain"; do jumps=$((jumps + 1)); done
    done
    $with -F "$chain"
    $with -X "$chain"
    return 0
} 2>/dev/null
