# shellcheck shell=sh disable=SC2154
# The files beside the manifest (KINDS): what the API server reads at its start, and the admission policies, which it reads
# again by itself. Staging one touches nothing that the API server reads: the file in use changes together with the manifest,
# in apply_manifest, so that they are always a set that is known to work.

# stage KIND live=SHA256@CTIME staged=SHA256 desired=SHA256 path=PATH, the file on standard input. What is live and staged is
# there to make its loss a diff. Of a webhook's kubeconfig nothing is shown.
stage() {
    kind=$1 staged=$STATE/staged/audit-$1.yaml
    shift
    desired=$(argument desired "$@") || exit 1
    path=$(argument path "$@") || exit 1
    take_lock
    receive_desired "$staged" "$desired" "$path" "$kind"
    if [ "$(hash_of "$path")" = "$desired" ]; then say "$kind: in sync"; else say "$kind: staged for $path"; fi
}

# prepare_file KIND path=PATH live=SHA256@CTIME desired=SHA256, the file on standard input: it goes where the API server that
# kubeadm join will start here reads it.
prepare_file() {
    [ ! -e "$MANIFEST" ] || fail "$MANIFEST is there now: the machine has joined; run again"
    stage "$@"
    shift
    live=$(argument live "$@") || exit 1
    check_staged "$kind" "$path" "$live" "$desired"
    if [ "$kind" = static-policies ]; then make_folder "$path" || fail "$problem"; fi
    place "$staged" "$path" 600 "${live%@*} $desired" || fail "$problem"
    clear_slot "$path" "${live%@*} $desired"
    say "prepared: $path is there for kubeadm join"
}

# what_is KIND: what people call it.
what_is() {
    case $1 in
        webhook) say "webhook's kubeconfig" ;;
        admission) say "admission configuration" ;;
        static-policies) say "file of admission policies" ;;
        *) say "$1" ;;
    esac
}

# check_staged KIND PATH LIVE DESIRED: the file at PATH is as the plan has seen it (LIVE, SHA256@CTIME), or as it shall be
# (DESIRED), and that is staged.
check_staged() {
    seen=$(hash_of "$2") waits=$STATE/staged/audit-$1.yaml
    if [ "$seen" != "${3%@*}" ] && [ "$seen" != "$4" ]; then
        fail "$2 changed after it was read for this plan; run again to see its present text"
    fi
    if [ "$seen" = "$4" ]; then cp "$2" "$waits"; fi
    [ "$(hash_of "$waits")" = "$4" ] || fail "the $(what_is "$1") of this plan is not staged on the node; run again"
}

# given_are_live ARGUMENTS...: whether every file that they name is the one that they ask for.
given_are_live() {
    for kind in $KINDS; do
        is_as_desired "$(given "$kind" "$@")" "$(given "$kind-desired" "$@")" || return 1
    done
}

# is_as_desired PATH SHA256: whether the file is the one that is asked for; true when none is.
is_as_desired() { [ -z "$2" ] || [ "$(hash_of "$1")" = "$2" ]; }

# prepare_join policy=PATH live=SHA256@CTIME desired=SHA256 log=PATH owner=NAME [former-owner=NAME], the policy on
# standard input: what the API server that kubeadm join will start here must find.
prepare_join() {
    policy=$(argument policy "$@") || exit 1
    desired=$(argument desired "$@") || exit 1
    live=$(argument live "$@") || exit 1
    log=$(argument log "$@") || exit 1
    take_lock
    check_owner "$@"
    [ ! -e "$MANIFEST" ] || fail "$MANIFEST is there now: the machine has joined; run again"
    receive_desired "$STATE/staged/audit-policy.yaml" "$desired" "$policy" policy
    there=$(hash_of "$policy")
    if [ "$there" != "${live%@*}" ] && [ "$there" != "$desired" ]; then
        fail "$policy changed after it was read for this plan; run again to see its present text"
    fi
    place "$STATE/staged/audit-policy.yaml" "$policy" 600 "${live%@*} $desired" || fail "$problem"
    clear_slot "$policy" "${live%@*} $desired"
    case $log in /*) mkdir -p "$(dirname "$log")" || fail "cannot make the folder of $log" ;; esac
    own "$@" || fail "cannot write $STATE/owner"
    say "prepared: $policy and the folder of $log are there for kubeadm join"
}

# needed_by KIND PATH: the argument of the API server by which it needs the file.
needed_by() {
    case $1 in
        policy) say "--audit-policy-file=$2" ;;
        webhook) say "--audit-webhook-config-file=$2" ;;
        *) say "--admission-control-config-file=$ADMISSION" ;;
    esac
}

# take_away KIND path=PATH written=SHA256 owner=NAME: the file goes, or the earlier one comes back.
take_away() {
    what=$1 earlier=$STATE/before/audit-$1.yaml
    shift
    path=$(argument path "$@") || exit 1
    written=$(argument written "$@") || exit 1
    take_lock
    if is_needed "$what" "$(needed_by "$what" "$path")" "$@"; then return; fi
    there=$(hash_of "$path") was=$(hash_of "$earlier")
    if [ "$there" != absent ] && [ "$there" != "$written" ] && [ "$there" != "$was" ]; then
        fail "$path was changed since this stack last wrote it; nothing was removed. Run 'pulumi up' first, or remove the file by hand"
    fi
    if [ -f "$MANIFEST" ] && [ ! -f "$earlier" ] && grep -q -F -e "$(needed_by "$what" "$path")" "$MANIFEST"; then
        fail "$MANIFEST still names $path: without it the API server cannot start. Nothing was removed." \
            "Run 'pulumi up' first, to finish what was cut off"
    fi
    if [ -f "$earlier" ] && [ "$there" = "$was" ]; then
        say "$what: $path is as it was before audit logging"
    elif [ -f "$earlier" ]; then
        if [ -f "$path" ]; then as=like; else as=600; fi
        # A try that was cut off may have left the earlier one on its way in.
        place "$earlier" "$path" "$as" "$written $was" || fail "$problem"
        say "$what: $path is as it was before audit logging"
    else
        withdraw "$path" "$written" || fail "$problem"
        say "$what: $path removed"
    fi
    clear_slot "$path" "$written $was"
    if [ "$what" = static-policies ]; then remove_made_folder; fi
    rm -f "$STATE/staged/${earlier##*/}" "$STATE/staged/put-back-${earlier##*/}" "$STATE/written/$what"
}
