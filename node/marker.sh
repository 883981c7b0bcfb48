# shellcheck shell=sh disable=SC2034,SC2154
# Whether an API server records: a request that the policy records, found where its events go; else its audit metrics.

# prove_recording: of the new API server; what proves it in $evidence, the reason in $problem when nothing does.
prove_recording() {
    if [ "$marker" = yes ]; then
        marker_arrives "$endpoint" "$log"
    elif [ "$purpose" = enable ]; then
        no_audit_errors "$endpoint"
    fi
}

# marker_arrives ENDPOINT LOG: LOG is a file, or - for the standard output of the API server's container.
marker_arrives() {
    rotated_before=$(rotated_files "$2")
    make_marker "$1"
    tries=0
    while [ "$tries" -lt 40 ]; do
        if [ "$2" = - ]; then written=$(newest_log kube-apiserver); else written=$2; fi
        # The log may have been rotated right after the event.
        for file in "${written:-/dev/null}" $(rotated_since "$2" "$rotated_before"); do
            if end_of "$file" 1048576 | grep -q "$marker_name"; then
                evidence="$marker_name in $file"
                say "marker: recorded in $file"
                return
            fi
        done
        tries=$((tries + 1))
        sleep 0.5
    done
    problem="the API server answered but a request that the policy records is not in ${written:-the log of its container}"
    return 1
}

# rotated_files LOG: the files that it was rotated to, compressed or not, one a line; none where LOG is no file.
rotated_files() {
    case $1 in /*) ;; *) return ;; esac
    rotated_names "$1"
    find "${stem%/*}" -maxdepth 1 \( -name "${stem##*/}-[0-9]*$extension" -o -name "${stem##*/}-[0-9]*$extension.gz" \) 2>/dev/null
}

# rotated_since LOG FILES: its rotated files but for these. The times in their names say nothing once a clock was set.
rotated_since() { rotated_files "$1" | grep -vxF "$2"; }

# end_of FILE BYTES: of what FILE holds, decompressed.
end_of() {
    case $1 in
        *.gz) gzip -dc "$1" 2>/dev/null | tail -c "$2" ;;
        *) tail -c "$2" "$1" 2>/dev/null ;;
    esac
}

# make_marker ENDPOINT: a request of a name of its own, in $marker_name. It is a dry run: nothing is made. Its answer does
# not matter: a request that admission refuses is recorded as well.
make_marker() {
    marker_name=kubernetes-audit-$(date +%s)-$$
    request_marker "$1" create configmap kube-system "$marker_name" >/dev/null 2>&1
}

# request_marker ENDPOINT VERB KIND NAMESPACE NAME: VERB is get, or create, which makes nothing.
request_marker() {
    if [ "$2" = get ]; then
        api "$1" --request-timeout=10s -n "$4" get "$3" "$5"
    elif [ "$3" = secret ]; then
        api "$1" --request-timeout=10s -n "$4" create secret generic "$5" --dry-run=server
    else
        api "$1" --request-timeout=10s -n "$4" create "$3" "$5" --dry-run=server
    fi
}

# no_audit_errors ENDPOINT: where no marker can be found, as with a webhook alone, the API server's own count of events
# must be free of new errors. That events are counted is evidence; that none are, in a quiet cluster, is none.
no_audit_errors() {
    before_events=$(audit_metrics "$1")
    make_marker "$1"
    sleep 5
    now_events=$(audit_metrics "$1")
    if [ -z "$before_events" ] || [ -z "$now_events" ]; then
        say "marker: none can be recorded, and the API server's metrics cannot be read"
    elif [ "${now_events#* }" -gt "${before_events#* }" ]; then
        problem="apiserver_audit_error_total rises: the audit backend does not take the events"
        return 1
    elif [ "${now_events% *}" -gt "${before_events% *}" ]; then
        evidence="apiserver_audit_event_total ${now_events% *}, no new error"
        say "marker: none can be found; apiserver_audit_event_total rises, and apiserver_audit_error_total does not"
    else
        say "marker: none can be recorded, and the API server has counted no event meanwhile"
    fi
}

# audit_metrics ENDPOINT: "EVENTS ERRORS" that the API server has counted; nothing when it does not say.
audit_metrics() {
    api "$1" --request-timeout=10s get --raw /metrics 2>/dev/null | awk '
        /^apiserver_audit_event_total/ { events += $2; found = 1 }
        /^apiserver_audit_error_total/ { errors += $2 }
        END { if (found) printf "%.0f %.0f\n", events, errors }'
}
