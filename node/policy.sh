# shellcheck shell=sh disable=SC2154
# The files that the API server reads at its start: the policy and the webhook's kubeconfig. Staging one touches nothing
# that the API server reads: the file in use changes together with the manifest, in apply_manifest, so that they are always
# a set that is known to work.

# stage_policy live=SHA256@CTIME staged=SHA256 desired=SHA256 path=PATH, the policy on standard input. What is live and
# staged is there to make its loss a diff.
stage_policy() { stage policy audit-policy.yaml "$@"; }

# stage_webhook: the same for the webhook's kubeconfig, of which nothing is shown.
stage_webhook() { stage webhook audit-webhook.yaml "$@"; }

# prepare_webhook path=PATH live=SHA256@CTIME desired=SHA256, the kubeconfig on standard input: it goes where the API server
# that kubeadm join will start here reads it.
prepare_webhook() {
    [ ! -e "$MANIFEST" ] || fail "$MANIFEST is there now: the machine has joined; run again"
    stage_webhook "$@"
    live=$(argument live "$@") || exit 1
    check_staged "webhook's kubeconfig" audit-webhook.yaml "$path" "$live" "$desired"
    place "$STATE/staged/audit-webhook.yaml" "$path" 600 "${live%@*} $desired" || fail "$problem"
    clear_slot "$path" "${live%@*} $desired"
    say "prepared: $path is there for kubeadm join"
}

# stage WHAT NAME ARGUMENTS...: takes standard input to the staged file NAME.
stage() {
    what=$1 staged=$STATE/staged/$2
    shift 2
    desired=$(argument desired "$@") || exit 1
    path=$(argument path "$@") || exit 1
    take_lock
    receive_desired "$staged" "$desired" "$path" "$what"
    if [ "$(hash_of "$path")" = "$desired" ]; then say "$what: in sync"; else say "$what: staged for $path"; fi
}

# check_staged WHAT NAME PATH LIVE DESIRED: the file at PATH is as the plan has seen it (LIVE, SHA256@CTIME), or as it shall
# be (DESIRED), and that waits as the staged file NAME.
check_staged() {
    seen=$(hash_of "$3")
    if [ "$seen" != "${4%@*}" ] && [ "$seen" != "$5" ]; then
        fail "$3 changed after it was read for this plan; run again to see its present text"
    fi
    if [ "$seen" = "$5" ]; then cp "$3" "$STATE/staged/$2"; fi
    [ "$(hash_of "$STATE/staged/$2")" = "$5" ] || fail "the $1 of this plan is not staged on the node; run again"
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

# remove_policy path=PATH written=SHA256 owner=NAME: the file goes, or the earlier one comes back.
remove_policy() { take_away policy audit-policy.yaml audit-policy-file "$@"; }

# remove_webhook path=PATH written=SHA256 owner=NAME: the same for the webhook's kubeconfig.
remove_webhook() { take_away webhook audit-webhook.yaml audit-webhook-config-file "$@"; }

# take_away WHAT NAME FLAG ARGUMENTS...: NAME is that of the earlier file, FLAG the API server's flag for it.
take_away() {
    what=$1 earlier=$STATE/before/$2 flag=$3
    shift 3
    path=$(argument path "$@") || exit 1
    written=$(argument written "$@") || exit 1
    take_lock
    if is_needed "$what" "--$flag=$path" "$@"; then return; fi
    there=$(hash_of "$path")
    if [ "$there" != absent ] && [ "$there" != "$written" ]; then
        if [ "$there" = "$(hash_of "$earlier")" ]; then
            say "$what: $path is as it was before audit logging"
            return
        fi
        fail "$path was changed since this stack last wrote it; nothing was removed. Run 'pulumi up' first, or remove the file by hand"
    fi
    if [ -f "$MANIFEST" ] && [ ! -f "$earlier" ] && grep -q -e "--$flag=$path" "$MANIFEST"; then
        fail "$MANIFEST still names $path: without it the API server cannot start. Nothing was removed." \
            "Run 'pulumi up' first, to finish what was cut off"
    fi
    if [ -f "$earlier" ]; then
        if [ -f "$path" ]; then as=like; else as=600; fi
        place "$earlier" "$path" "$as" "$written" || fail "$problem"
        say "$what: $path is as it was before audit logging"
    else
        withdraw "$path" "$written" || fail "$problem"
        say "$what: $path removed"
    fi
    clear_slot "$path" "$written"
    rm -f "$STATE/staged/${earlier##*/}" "$STATE/staged/put-back-${earlier##*/}" "$STATE/written/$what"
}
