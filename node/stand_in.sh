# shellcheck shell=sh disable=SC2034,SC2154
# A seamless restart: the canary answers in place of the API server while that one restarts.

# stand_in: new connections go to the canary from here to hand-back; where that cannot be, the API server just drains.
stand_in() {
    [ "$mode" = seamless ] || return 0
    through=https://$(in_brackets "$address"):${endpoint##*:}
    problem=$(firewall_about "${endpoint##*:}")
    if [ -z "$problem" ] && [ -z "$outside" ]; then
        problem="the redirect could not be tried from outside the host"
    fi
    if [ -z "$problem" ] && record "redirect=$(redirect_tools)" "through=$through" && redirect "$address" "${endpoint##*:}" "$canary_port" && from_outside answers_through "$through"; then
        say "stand-in: new connections to this node's API go to the canary"
        return
    fi
    say "restart: drain in place of seamless, because $problem"
    mode=drain
    dismiss_canary 0
}

# answers_through URL: whether the canary answers there, known by its own log.
answers_through() {
    problem="the canary does not answer at $1 from outside the host"
    healthy "$1" && { [ "$marker" != yes ] || [ -z "$canary_log" ] || marker_arrives "$1" "$canary_log"; }
}

# hand_back: the redirect goes, then the canary with the requests that it still has. A redirect that stays is no reason to put
# files back that are right: the change ends with an error, and the next run tries again.
hand_back() {
    stuck=
    dismiss_canary "$DRAIN_SECONDS" || stuck=$problem
}

# dismiss_canary SECONDS: takes the redirect away, and then the canary, which may serve on for SECONDS. A redirect that stays
# keeps the canary, which answers at least, and the journal; the status is 1 and $problem says why.
dismiss_canary() {
    if [ -n "$(journal redirect)" ] || is_redirected; then
        if ! withdraw_redirect; then
            say "stand-in: $problem"
            return 1
        fi
        record redirect= through= || :
        say "stand-in: the redirect is taken away"
    fi
    if [ -n "$(journal canary-port)" ] || [ -e "$(canary_file)" ]; then
        if end_canary "$1"; then say "canary: ended"; else say "canary: stays for the next run to end, because $problem"; fi
    fi
    return 0
}
