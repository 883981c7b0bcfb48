# shellcheck shell=sh disable=SC2034,SC2154
# The commands about the static-pod manifest: they check that the node is still as the plan has seen it, stage what
# arrives, and have the worker change manifest and policy together.

# How both commands restart the API server; the delete text of an older version names none of it, and then it drains:
#   mode=seamless|quick|drain rehearsal=yes|no address=IP (this node's, as clients know it) images=IMAGE...
#   canary=EDITS canary-sha256=SHA256 canary-log=PATH placed-first=EDITS (sed scripts for the manifest)

# apply_manifest live=SHA256@CTIME desired=SHA256 arguments=SHA256 arguments-before=SHA256 endpoint=URL timeout=SECONDS
#   owner=NAME [former-owner=NAME] owned=RECORD policy=PATH policy-live=SHA256@CTIME policy-desired=SHA256 log=PATH marker=yes|no
#   restart=no|PID:START,... quarantine=none|NAME@CTIME/... [reloads=yes] (nothing ends: the API server reads what changes by itself)
#   [KIND=PATH KIND-live=SHA256@CTIME KIND-desired=SHA256]... for each other of KINDS [earlier=NAME,... later=NAME,... without=NAME,...] (other nodes)
# The desired manifest on standard input. "arguments" is the hash of /proc/PID/cmdline that the manifest leads to.
apply_manifest() {
    desired=$(argument desired "$@") || exit 1
    live=$(argument live "$@") || exit 1
    policy=$(argument policy "$@") || exit 1
    restart=$(argument restart "$@") || exit 1
    take_lock
    check_owner "$@"
    owe_proof || fail "cannot write $STATE/unproven"
    receive_desired "$STATE/staged/kube-apiserver.yaml" "$desired" "$MANIFEST" manifest
    there=$(hash_of "$MANIFEST")
    strays=$(given quarantine "$@") || strays=none
    for_strays stray_is_as_read "$strays" || fail "$problem; run again"
    if [ "$there" = "$desired" ] && given_are_live "$@" && ! still_runs "$restart" && [ ! -e "$STATE/journal" ] &&
        for_strays false "$strays"; then
        keep_before "$@" || fail "$problem"
        [ "$(hash_of "$MANIFEST")" = "$desired" ] || fail "$MANIFEST changed after it was read for this plan; run again"
        { own "$@" && record_change "$@"; } || fail "cannot write $STATE/owner"
        say "manifest: in sync"
        return
    fi
    if [ "$there" != "${live%@*}" ] && [ "$there" != "$desired" ] && ! is_half_way "$there"; then
        fail "$MANIFEST changed after it was read for this plan; run again to see its present text"
    fi
    for kind in $KINDS; do
        path=$(given "$kind" "$@") && [ -n "$path" ] || continue
        read_as=$(argument "$kind-live" "$@") && wants=$(argument "$kind-desired" "$@") || exit 1
        check_staged "$kind" "$path" "$read_as" "$wants"
    done
    stage_folder "$@" || fail "$problem"
    [ "$(stat -c %d "$STATE")" = "$(stat -c %d "$MANIFESTS")" ] ||
        fail "$STATE and $MANIFESTS are on different file systems: a rename between them is not atomic"
    detached transaction enable "$@"
}

# restore_manifest [owner=NAME entry=NAME] written=SHA256 restore=SHA256 arguments=SHA256 (of the earlier process) endpoint=URL timeout=SECONDS
#   policy=PATH [webhook=PATH] edits=SED, the manifest that the stack wrote last on standard input; or the earlier one without edits.
restore_manifest() {
    written=$(argument written "$@") || exit 1
    restore=$(argument restore "$@") || exit 1
    take_lock
    received=yes
    receive_earlier "$STATE/staged/kube-apiserver.yaml" "$restore" "$STATE/before/kube-apiserver.yaml" "$@" || received=
    if is_kept manifest "$@"; then return; fi
    [ -n "$received" ] || fail "$problem"
    there=$(hash_of "$MANIFEST")
    if [ "$there" = "$restore" ] && [ ! -e "$STATE/journal" ]; then
        say "manifest: as it was before audit logging"
    elif [ "$there" = "$restore" ] || [ "$there" = "$written" ] || is_half_way "$there"; then
        detached transaction remove "$@"
    else
        fail "$MANIFEST was changed since this stack last wrote it; nothing was removed." \
            "Run 'pulumi up' first: it takes the present file as the one to give back less audit logging"
    fi
    give_up_ownership
}

# is_half_way SHA256: whether it is the manifest that a quick restart put in place first before it was cut off.
is_half_way() { [ "$1" = "$(journal placed-first)" ]; }

# another_owns [owner=NAME]...: whether this node's audit logging is another stack's. A command of an earlier version of
# this program does not say whose it is.
another_owns() {
    caller=$(given owner "$@") || return 1
    is_whole "$STATE/owner" && [ "$(cat "$STATE/owner")" != "$caller" ]
}

# is_anothers WHAT ARGUMENTS...: whether it stays because it is another stack's, which is said.
is_anothers() {
    if ! another_owns "$@"; then return 1; fi
    say "$1: kept for the stack $(cat "$STATE/owner")"
}

# is_kept WHAT ARGUMENTS...: whether what a deletion would take away stays, which is said. The engine deletes what is no longer
# declared under the name it had; the node knows who changed it last.
is_kept() {
    if is_anothers "$@"; then return 0; fi
    thing=$1
    shift
    if is_whole "$STATE/entry" && [ "$(cat "$STATE/entry")" != "$(given entry "$@")" ]; then
        say "$thing: kept for the entry $(cat "$STATE/entry"), by which $(cat "$STATE/owner") changed this node last"
    elif is_declared; then
        say "$thing: kept, because the program that runs now declares it"
    else
        return 1
    fi
}

# is_needed WHAT FLAG [owner=NAME]...: the same for a file that goes once the manifest has been given back: as long as the node
# has an owner and a manifest with FLAG, it has not been. A webhook that leaves the settings has left the manifest before.
is_needed() {
    if is_anothers "$@"; then return 0; fi
    if [ -e "$STATE/owner" ] && [ -f "$MANIFEST" ] && grep -q -F -e "$2" "$MANIFEST"; then
        say "$1: kept for the stack $(cat "$STATE/owner"), whose manifest is in place. Where that is not meant," \
            "run 'pulumi up', then remove it again"
    else
        return 1
    fi
}

# is_declared: whether a program that declares this node runs now. It holds a lock for as long
# (auditlog/nodes/declaration.py).
is_declared() { [ -e "$STATE/declared" ] && ! flock -n -x "$STATE/declared" true; }

# check_owner owner=NAME [former-owner=NAME]...: refuses a node whose audit logging is another stack's, unless it is the
# former owner's, which this stack takes it over from.
check_owner() {
    mine=$(argument owner "$@") || exit 1
    if another_owns "$@" && [ "$(cat "$STATE/owner")" != "$(given former-owner "$@")" ]; then
        fail "the audit logging of this node belongs to the stack $(cat "$STATE/owner"), and this is $mine;" \
            "destroy that stack first, or set takeOver: $(cat "$STATE/owner") to take the node over from it as it is"
    fi
}

# own owner=NAME log=PATH [KIND=PATH]... [owned=RECORD] [entry=NAME] [former-owner=NAME] [edits-back=yes]...: from
# now on this node's audit logging is the stack's; RECORD says what of the manifest is, and the entry by which name the stack
# has the node.
own() {
    {
        say "log=$(argument log "$@")"
        for kind in $KINDS; do say "$kind=$(given "$kind" "$@")"; done
    } | keep_record "$STATE/paths" || return 1
    for kept_record in owned entry former-owner edits-back; do
        ! given "$kept_record" "$@" >/dev/null || given "$kept_record" "$@" | keep_record "$STATE/$kept_record" || return 1
    done
    argument owner "$@" | keep_record "$STATE/owner"
}

# give_up_ownership: this node's audit logging is nobody's any more. Policy and webhook's kubeconfig are still to go: until
# then it is on record that the stack wrote them.
give_up_ownership() {
    rm -f "$STATE/before/kube-apiserver.yaml" "$STATE/owner" "$STATE/entry" "$STATE/former-owner" "$STATE/owned" "$STATE/edits-back" \
        "$STATE/written/manifest"
    sync "$STATE"
}

# record_change desired=SHA256 [KIND-desired=SHA256]...: the files are as the stack wants them.
record_change() {
    record_written manifest "$(argument desired "$@")" || return 1
    for kind in $KINDS; do
        ! given "$kind-desired" "$@" >/dev/null || record_written "$kind" "$(given "$kind-desired" "$@")" || return 1
    done
    note_policy stack "$(argument policy "$@")"
}
