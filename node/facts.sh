# shellcheck shell=sh
# Reads what the plan needs and changes nothing. One line a fact: a name, then base64 where it is a text of its own.

# facts policy=PATH log=PATH
facts() {
    policy=$(argument policy "$@") || exit 1
    log=$(argument log "$@") || exit 1
    [ "$(id -u)" = 0 ] || fail "reading the node needs root; got user $(id -un)"
    echo "format 1"
    say "hostname $(uname -n)"
    fact_file manifest "$MANIFEST"
    fact_file policy "$policy"
    fact_file before-manifest "$STATE/before/kube-apiserver.yaml"
    fact_file before-policy "$STATE/before/audit-policy.yaml"
    fact_file before-kubeadm-config "$STATE/before/cluster-configuration.yaml"
    fact_file owner "$STATE/owner"
    say "scripts $(hash_of "$STATE/node.sh")"
    say "staged-policy $(hash_of "$STATE/staged/audit-policy.yaml")"
    if [ -e "$STATE/journal" ]; then fact_file journal "$STATE/journal"; fi
    fact_manifests
    for pid in $(apiserver_pids); do
        say "process $pid $(started "$pid") $(base64 -w 0 <"/proc/$pid/cmdline" 2>/dev/null)"
    done
    folder=$(dirname "$log")
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    say "log-free-bytes $(df -P -k "$folder" | awk 'NR == 2 { printf "%.0f\n", $4 * 1024 }')"
    fact_kubeadm_config
    for tool in kubectl flock base64 sha256sum setsid; do
        command -v "$tool" >/dev/null || say "missing-tool $tool"
    done
    echo "end"
}

# fact_file NAME PATH: sha256, change and modification time in seconds, mode, and the text; or "absent".
fact_file() {
    if [ -f "$2" ]; then
        say "file $1 $(stat -c '%Z %Y %a' "$2") $(base64 -w 0 <"$2")"
    else
        say "file $1 absent"
    fi
}

# Every other file that kubelet would run as a static pod: it reads all but dot files, whatever they are called.
# A file too large to be a manifest is named with its size and not sent.
fact_manifests() {
    for entry in "$MANIFESTS"/*; do
        if [ ! -f "$entry" ] || [ "$entry" = "$MANIFEST" ]; then continue; fi
        if [ "$(stat -L -c %s "$entry")" -gt 262144 ]; then text=; else text=$(base64 -w 0 <"$entry"); fi
        say "static-pod $(printf '%s' "${entry##*/}" | base64 -w 0) $text"
    done
}

# After a change that was cut off the API server may be between two processes: it is waited for, up to a minute.
fact_kubeadm_config() {
    command -v kubectl >/dev/null || return 0
    tries=1
    if [ -e "$STATE/journal" ]; then tries=30; fi
    until found=$(kubectl --kubeconfig "$ADMIN_CONF" --request-timeout=10s -n kube-system get configmap kubeadm-config \
        -o 'jsonpath={.metadata.resourceVersion} {.data.ClusterConfiguration}{"."}' 2>&1); do
        tries=$((tries - 1))
        if [ "$tries" = 0 ]; then
            say "kubeadm-config-error $(printf '%s' "$found" | tail -n 1 | base64 -w 0)"
            return
        fi
        sleep 2
    done
    text=${found#* }
    say "kubeadm-config ${found%% *} $(printf '%s' "${text%.}" | base64 -w 0)"
}
