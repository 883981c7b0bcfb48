# shellcheck shell=sh disable=SC2034,SC2154
# A place outside the host: a network namespace with a line to it. Seen from the host itself, over loopback, a redirect and a
# firewall look other than they do to clients.

OUTSIDE=kubernetes-audit
OUTSIDE_LINE=ka-outside

# go_outside URL: makes the place; $outside is the command that runs something there. Status 1 with the reason in $problem where
# there is none, or where the API server at URL does not answer there.
go_outside() {
    make_outside "$1" || return 1
    problem="the API server does not answer at $1 from outside the host"
    if ! from_outside healthy "$1"; then
        come_inside
        return 1
    fi
}

# make_outside URL: the same, whether anybody answers there or not.
make_outside() {
    outside=
    come_inside
    problem="the node has no ip command"
    command -v ip >/dev/null || return 1
    case $1 in
        *'['*) here=fd6b:6175:6469:74::1 there=fd6b:6175:6469:74::2 bits=126 more=nodad ;;
        *) here=169.254.213.1 there=169.254.213.2 bits=30 more= ;;
    esac
    problem="no network namespace can be made"
    # shellcheck disable=SC2086  # an option or none
    if ! { ip netns add "$OUTSIDE" && ip link add "$OUTSIDE_LINE" type veth peer name eth0 netns "$OUTSIDE" &&
        ip addr add "$here/$bits" dev "$OUTSIDE_LINE" $more && ip link set "$OUTSIDE_LINE" up &&
        ip -n "$OUTSIDE" link set lo up && ip -n "$OUTSIDE" addr add "$there/$bits" dev eth0 $more &&
        ip -n "$OUTSIDE" link set eth0 up && ip -n "$OUTSIDE" route add default via "$here"; } 2>/dev/null; then
        come_inside
        return 1
    fi
    outside="ip netns exec $OUTSIDE"
}

# from_outside COMMAND...: a function of these scripts, whose requests are made there.
from_outside() {
    asked_from=$outside
    "$@"
    answered=$?
    asked_from=
    return "$answered"
}

come_inside() {
    outside=
    ip link delete "$OUTSIDE_LINE"
    ip netns delete "$OUTSIDE"
    return 0
} 2>/dev/null
