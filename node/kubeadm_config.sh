# shellcheck shell=sh disable=SC2154
# ClusterConfiguration in the kubeadm-config ConfigMap: written only over the text that the operator has seen.

# read_kubeadm_config: sets $version and writes the text to $STATE/staged/live-cluster-configuration.yaml.
read_kubeadm_config() {
    mkdir -p "$STATE/staged"
    version=$(kubectl --kubeconfig "$ADMIN_CONF" --request-timeout=30s -n kube-system get configmap kubeadm-config \
        -o 'jsonpath={.metadata.resourceVersion}') || fail "cannot read the ConfigMap kube-system/kubeadm-config"
    kubectl --kubeconfig "$ADMIN_CONF" --request-timeout=30s -n kube-system get configmap kubeadm-config \
        -o 'jsonpath={.data.ClusterConfiguration}' >"$STATE/staged/live-cluster-configuration.yaml" ||
        fail "cannot read the ConfigMap kube-system/kubeadm-config"
}

# keep_kubeadm_config: the text and its version as they are now, for the facts while a change is unfinished and no API
# server can be asked. Where it cannot be read, what was kept earlier stays.
keep_kubeadm_config() {
    kept=$(kubectl --kubeconfig "$ADMIN_CONF" --request-timeout=10s -n kube-system get configmap kubeadm-config \
        -o 'jsonpath={.metadata.resourceVersion}{"\n"}{.data.ClusterConfiguration}{"."}' 2>/dev/null) || return 0
    printf %s "${kept%.}" | keep_record "$STATE/kubeadm-config"
}

# write_kubeadm_config FILE: replaces the text if the ConfigMap is still at $version. The field manager stays kubeadm,
# so that nothing in the object tells it from kubeadm's own writing once the stack is gone.
write_kubeadm_config() {
    awk -v version="$version" -v ends="$(tail -c 1 "$1" | wc -l)" '
        BEGIN { printf "{\"metadata\":{\"resourceVersion\":\"%s\"},\"data\":{\"ClusterConfiguration\":\"", version }
        { gsub(/\\/, "&&"); gsub(/"/, "\\\""); gsub(/\t/, "\\t"); gsub(/\r/, "\\r") }
        NR > 1 { printf "\\n" }
        { printf "%s", $0 }
        END { if (ends) printf "\\n"; print "\"}}" }
    ' "$1" >"$STATE/staged/kubeadm-config-patch.json"
    kubectl --kubeconfig "$ADMIN_CONF" --request-timeout=30s -n kube-system patch configmap kubeadm-config \
        --type merge --field-manager kubeadm --patch-file "$STATE/staged/kubeadm-config-patch.json" >/dev/null ||
        fail "kubeadm-config was not written; it is as it was"
    read_kubeadm_config
    [ "$(hash_of "$STATE/staged/live-cluster-configuration.yaml")" = "$(hash_of "$1")" ] ||
        fail "kubeadm-config does not read back as it was written"
}

# apply_kubeadm_config live=SHA256@VERSION desired=SHA256 owned=RECORD, the desired text on standard input.
apply_kubeadm_config() {
    live=$(argument live "$@") || exit 1
    desired=$(argument desired "$@") || exit 1
    take_lock
    read_kubeadm_config
    receive_desired "$STATE/staged/cluster-configuration.yaml" "$desired" \
        "$STATE/staged/live-cluster-configuration.yaml" kubeadm-config
    there=$(hash_of "$STATE/staged/live-cluster-configuration.yaml")
    [ "$there" = "$desired" ] || [ "$there" = "${live%@*}" ] ||
        fail "kubeadm-config changed after it was read for this plan; run again to see its present text"
    if [ ! -e "$STATE/before/cluster-configuration.yaml" ]; then
        mkdir -p "$STATE/before"
        put "$STATE/staged/live-cluster-configuration.yaml" "$STATE/before/cluster-configuration.yaml" 600 || fail "cannot write $STATE/before"
    fi
    if [ "$there" = "$desired" ]; then
        own_kubeadm_config "$@"
        record_written kubeadm-config "$desired" || fail "cannot write $STATE/written"
        say "kubeadm-config: in sync"
        return
    fi
    write_kubeadm_config "$STATE/staged/cluster-configuration.yaml"
    own_kubeadm_config "$@"
    record_written kubeadm-config "$desired" || fail "kubeadm-config is written, but not $STATE/written"
    say "kubeadm-config: written; the next kubeadm upgrade or join keeps audit logging"
}

# own_kubeadm_config owned=RECORD...: what of the text is the stack's.
own_kubeadm_config() {
    argument owned "$@" | keep_record "$STATE/owned-kubeadm-config" ||
        fail "cannot write $STATE/owned-kubeadm-config; run again"
}

# restore_kubeadm_config [owner=NAME] written=SHA256 restore=SHA256 edits=SED, the text that the stack wrote last on
# standard input; or the earlier one without edits. It comes before any manifest is given
# back, so the node still has its owner then. A deletion names its owner once the node has been taken over; one that does
# not is the former owner's.
restore_kubeadm_config() {
    written=$(argument written "$@") || exit 1
    restore=$(argument restore "$@") || exit 1
    take_lock
    received=yes
    receive_earlier "$STATE/staged/cluster-configuration.yaml" "$restore" "$STATE/before/cluster-configuration.yaml" "$@" || received=
    if another_owns "$@" || { [ -e "$STATE/former-owner" ] && ! given owner "$@" >/dev/null; }; then
        say "kubeadm-config: kept for the stack $(cat "$STATE/owner")"
        return
    fi
    if is_declared; then
        say "kubeadm-config: kept, because the program that runs now declares it"
        return
    fi
    [ -n "$received" ] || fail "$problem"
    read_kubeadm_config
    there=$(hash_of "$STATE/staged/live-cluster-configuration.yaml")
    if [ "$there" != "$restore" ]; then
        [ "$there" = "$written" ] || fail "kubeadm-config was changed since this stack last wrote it; nothing was removed." \
            "Run 'pulumi up' first: it takes the present text as the one to give back less audit logging"
        write_kubeadm_config "$STATE/staged/cluster-configuration.yaml"
    fi
    rm -f "$STATE/before/cluster-configuration.yaml" "$STATE/owned-kubeadm-config" "$STATE/written/kubeadm-config"
    sync "$STATE"
    say "kubeadm-config: as it was before audit logging"
    say_what_keeps_namespaces
}

# say_what_keeps_namespaces: which APIs keep Kubernetes from deleting the stack's namespace. Pulumi only waits for it.
say_what_keeps_namespaces() {
    dead=$(fact_dead_apis | sed 's/^dead-api \([^ ]*\) \(.*\)$/\1 (\2)/' | paste -s -d , - | sed 's/,/, /g')
    [ -n "$dead" ] || return 0
    theirs=$(kubectl --kubeconfig "$ADMIN_CONF" --request-timeout=5s get namespaces \
        -l app.kubernetes.io/part-of=kubernetes-audit -o name 2>/dev/null | sed -n '1s,^namespace/,,p')
    [ -z "$theirs" ] || say "warning: Kubernetes cannot delete the namespace $theirs before these APIs answer: $dead." \
        "Bring their backends back, or 'kubectl delete apiservice NAME' if nobody needs them. Then run the removal again."
}
