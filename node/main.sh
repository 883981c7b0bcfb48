# shellcheck shell=sh
# The commands that the operator's side calls.

# uninstall owner=NAME: the stack's own folder goes; the archive stays. A stack that came second and was refused has
# installed the scripts too: what it leaves does not take another stack's journal and record away.
uninstall() {
    take_lock
    if is_needed "node scripts" "" "$@"; then return; fi
    [ ! -e "$STATE/journal" ] || fail "a change of this node was cut off; run 'pulumi up' to finish it first"
    forget_credentials
    withdraw_recovery
    # This script goes last: a removal that is cut off before that can be run again.
    for entry in "$STATE"/* "$STATE"/.[!.]*; do
        [ "$entry" = "$STATE/node.sh" ] || rm -rf "$entry"
    done
    sync "$STATE"
    rm -rf "$STATE"
    sync "${STATE%/*}"
    say "node scripts: removed; backups stay in $ARCHIVE"
}

# drain: takes the input of a command that has no use for it. The provider sends the input of the last update along with
# each delete, and its SSH library calls a command that ended well before it was all taken failed, with "EOF".
drain() { [ -t 0 ] || cat >/dev/null; }

command=$1
shift
case $command in
    facts) facts "$@" ;;
    recorded-facts) recorded_facts ;;
    uninstall) drain && uninstall "$@" ;;
    stage-policy | stage-webhook | stage-admission | stage-static-policies) stage "${command#stage-}" "$@" ;;
    prepare-join) prepare_join "$@" ;;
    prepare-webhook | prepare-admission | prepare-static-policies) prepare_file "${command#prepare-}" "$@" ;;
    remove-policy | remove-webhook | remove-admission | remove-static-policies)
        drain && take_away "${command#remove-}" "$@"
        ;;
    apply-manifest) apply_manifest "$@" ;;
    restore-manifest) restore_manifest "$@" ;;
    apply-kubeadm-config) apply_kubeadm_config "$@" ;;
    restore-kubeadm-config) restore_kubeadm_config "$@" ;;
    prove) prove "$@" ;;
    alloy-state) alloy_state "$@" ;;
    recorded-ledger) recorded_ledger ;;
    ledger) ledger "$@" ;;
    ledger-events) ledger_events "$@" ;;
    owe-proof) owe_proof_if_owned ;;
    keep-proof) keep_proof "$@" ;;
    work) work "$@" ;;
    guard) guard "$@" ;;
    after-boot) after_boot ;;
    *) fail "unknown command $command" ;;
esac
