# shellcheck shell=sh disable=SC2154
# The proof after a deployment: a request that the policy records, and its event in this node's log. It changes nothing
# but the stack's note of the last proof. It is sent along with the question, so that any earlier script may be installed.

PROOF_BYTES=4194304

# prove endpoint=URL log=PATH verb=VERB kind=KIND namespace=NAME marker=NAME seconds=N [service=NAMESPACE/NAME]: what was
# found, one fact a line: a name, then texts in base64. LOG is a file, or - for the API server's standard output.
prove() {
    [ "$(id -u)" = 0 ] || fail "looking into the log needs root; got user $(id -un)"
    endpoint=$(argument endpoint "$@") || exit 1
    log=$(argument log "$@") || exit 1
    marker_name=$(argument marker "$@") || exit 1
    verb=$(argument verb "$@") || exit 1
    kind=$(argument kind "$@") || exit 1
    namespace=$(argument namespace "$@") || exit 1
    seconds=$(argument seconds "$@") || exit 1
    service=$(given service "$@")
    echo "format 1"
    if [ -n "$service" ]; then say "service $(service_address "$service")"; fi
    rotated_before=$(rotated_files "$log")
    said=$(request_marker "$endpoint" "$verb" "$kind" "$namespace" "$marker_name" 2>&1)
    deadline=$(($(uptime_seconds) + seconds))
    while :; do
        if marker_event; then
            say "event $(seconds_now) $(printf '%s' "$written" | base64 -w 0) $(printf '%s' "$line" | base64 -w 0)"
            break
        elif [ "$(uptime_seconds)" -ge "$deadline" ]; then
            say "answer $(printf '%s' "$said" | tail -n 1 | base64 -w 0)"
            counted=$(audit_metrics "$endpoint")
            say "audit-errors ${counted#* }"
            break
        fi
        sleep 0.1
    done
    echo "end"
}

# seconds_now: since the epoch, with nanoseconds where date has them; that of busybox has none.
seconds_now() {
    now=$(date +%s.%N)
    say "${now%.%N}"
}

# marker_event: the marker's last event in $line, and where it stands in $written. A line that is still being written does
# not end as one does.
marker_event() {
    for written in $(proof_files); do
        line=$(end_of "$written" "$PROOF_BYTES" | grep -F "$marker_name" |
            grep -F '"stage":"ResponseComplete"' | grep '}$' | head -n 1)
        [ -z "$line" ] || return 0
    done
    return 1
}

# proof_files: the log, and what it may have been rotated to just now; without one, what the API server's containers wrote.
proof_files() {
    if [ "$log" = - ]; then
        find_pod_logs
        find "$pod_logs" -path "*/kube-system_kube-apiserver-*/kube-apiserver/*.log" 2>/dev/null
    else
        echo "$log"
        rotated_since "$log" "$rotated_before"
    fi
}

# service_address NAMESPACE/NAME: the address of a Service, whose name only pods can look up.
service_address() {
    kubectl --kubeconfig "$ADMIN_CONF" --request-timeout=10s -n "${1%%/*}" get service "${1#*/}" \
        -o 'jsonpath={.spec.clusterIP}' 2>/dev/null
}

# alloy_state namespace=NAME: the pods of Alloy as "pod NODE PHASE READY REASON", and what the one here last complained of.
alloy_state() {
    namespace=$(argument namespace "$@") || exit 1
    echo "format 1"
    # shellcheck disable=SC2016
    kubectl --kubeconfig "$ADMIN_CONF" --request-timeout=10s -n "$namespace" get pods \
        -l app.kubernetes.io/name=alloy-audit -o 'jsonpath={range .items[*]}{"pod "}{.spec.nodeName}{" "}{.status.phase}{" "}{.status.containerStatuses[0].ready}{" "}{.status.containerStatuses[0].state.waiting.reason}{"\n"}{end}' 2>/dev/null
    find_pod_logs
    log_file=$(find "$pod_logs" -path "*/${namespace}_alloy-audit-*/alloy/*.log" -exec ls -1t {} + 2>/dev/null | head -n 1)
    if [ -n "$log_file" ]; then
        said=$(tail -n 500 "$log_file" | grep -E 'level=(error|warn)' | tail -n 1 | sed 's/^[^ ]* std[a-z]* [FP] //')
        say "complaint $(printf '%s' "$said" | base64 -w 0)"
    fi
    echo "end"
}

# owe_proof: from now on events of this node are unproven, until the stack has kept a proof or its failure. Each update that
# comes here has another text, so that the operator's side sees the one that was cut off, and the next that is too.
owe_proof() { printf '%s %s\n' "$(seconds_now)" "$$" | keep_record "$STATE/unproven"; }

# owe_proof_if_owned: what a change of Alloy asks for before it begins. A node that is not the stack's yet gets the note with its
# own first change.
owe_proof_if_owned() { [ ! -e "$STATE/owner" ] || owe_proof; }

# keep_proof proof=TEXT: for previews to show it again.
keep_proof() {
    proof=$(argument proof "$@") || exit 1
    { mkdir -p "$STATE" && printf '%s\n' "$proof" | keep_record "$STATE/proof" && rm -f "$STATE/unproven" && sync "$STATE"; } ||
        fail "cannot write $STATE/proof"
}
