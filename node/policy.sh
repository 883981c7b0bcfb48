# shellcheck shell=sh
# The policy file. Staging it touches nothing that the API server reads: the file in use changes together with the
# manifest, in apply_manifest, so that the two are always a pair that is known to work.

# stage_policy live=SHA256@CTIME staged=SHA256 desired=SHA256 path=PATH, the policy on standard input. What is live and
# staged is there to make its loss a diff.
stage_policy() {
    desired=$(argument desired "$@") || exit 1
    path=$(argument path "$@") || exit 1
    take_lock
    receive_desired "$STATE/staged/audit-policy.yaml" "$desired" "$path" policy
    if [ "$(hash_of "$path")" = "$desired" ]; then say "policy: in sync"; else say "policy: staged for $path"; fi
}

# prepare_join policy=PATH live=SHA256@CTIME desired=SHA256 log=PATH owner=NAME, the policy on standard input: what the
# API server that kubeadm join will start here must find.
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
    if ! { mkdir -p "$(dirname "$policy")" && put "$STATE/staged/audit-policy.yaml" "$policy" 600; }; then
        fail "cannot write $policy"
    fi
    case $log in /*) mkdir -p "$(dirname "$log")" || fail "cannot make the folder of $log" ;; esac
    own "$@" || fail "cannot write $STATE/owner"
    say "prepared: $policy and the folder of $log are there for kubeadm join"
}

# remove_policy path=PATH written=SHA256: the file goes, or the earlier one comes back.
remove_policy() {
    path=$(argument path "$@") || exit 1
    written=$(argument written "$@") || exit 1
    take_lock
    there=$(hash_of "$path")
    if [ "$there" != absent ] && [ "$there" != "$written" ]; then
        if [ "$there" = "$(hash_of "$STATE/before/audit-policy.yaml")" ]; then
            say "policy: $path is as it was before audit logging"
            return
        fi
        fail "$path was changed since this stack last wrote it; nothing was removed. Run 'pulumi up' first, or remove the file by hand"
    fi
    if [ -f "$MANIFEST" ] && [ ! -f "$STATE/before/audit-policy.yaml" ] && grep -q -e "--audit-policy-file=$path" "$MANIFEST"; then
        fail "$MANIFEST still names $path: without it the API server cannot start. Nothing was removed." \
            "Run 'pulumi up' first, to finish what was cut off"
    fi
    if [ -f "$STATE/before/audit-policy.yaml" ]; then
        put "$STATE/before/audit-policy.yaml" "$path" 600 || fail "cannot write $path"
        say "policy: $path is as it was before audit logging"
    else
        rm -f "$path"
        say "policy: $path removed"
    fi
}
