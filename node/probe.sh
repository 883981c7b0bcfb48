# shellcheck shell=sh disable=SC2034,SC2154
# How long the API was away, seen through the node's address from outside the host, as its clients see it: loopback would
# show neither a redirect nor a firewall.

# start_prober URL: asks for /readyz there, again and again, while the worker lives. Where the API server does not answer an
# outsider to begin with, the node itself asks. Where somebody reaches the API over loopback, an answer there is needed too.
start_prober() {
    over_loopback=$(loopback_clients "${endpoint##*:}" | tr '\n' ' ')
    if [ -n "$over_loopback" ]; then say "outage: measured on 127.0.0.1 as well, where ${over_loopback% } may reach the API"; fi
    if ! go_outside "$1"; then say "outage: measured from the host itself, because $problem"; fi
    (
        asked_from=$outside
        exec 9>&-
        while alive "$worker"; do
            answer=none
            if is_ok "$1" 5 /readyz && { [ -z "$over_loopback" ] || asked_from='' is_ok "$endpoint" 5 /readyz; }; then answer=ok; fi
            read -r uptime _ </proc/uptime
            echo "$uptime $answer"
            sleep 0.3
        done
    ) >"$STATE/probes" &
    prober=$!
}

stop_prober() {
    if [ -n "${prober:-}" ]; then
        kill "$prober" 2>/dev/null
        # A question that is under way ends by its answer, and not by the end of its network.
        sleep 0.5
    fi
    prober=
    come_inside
}

# say_result: the last line of a change, for the operator's side to keep in the stack's state.
say_result() {
    say "result {\"mode\": \"$mode\", \"outageSeconds\": $(outage_seconds), \"rehearsed\": ${rehearsed:-false}," \
        "\"backup\": \"$backup\", \"marker\": \"${evidence:-}\"}"
    rm -f "$STATE/probes"
}

# outage_seconds: from the first question without an answer to the next answer, or to the last question, all gaps together.
outage_seconds() {
    { [ ! -f "$STATE/probes" ] || cat "$STATE/probes"; } | awk '
        $2 == "none" && !away { away = 1; since = $1 }
        $2 == "ok" && away { away = 0; total += $1 - since }
        { last = $1 }
        END { if (away) total += last - since; printf "%.1f\n", total }
    '
}
