# shellcheck shell=sh disable=SC2034,SC2154
# A quick restart: the old API server is killed instead of draining, and the new one starts at once.

# place_first: the new manifest but for one annotation.
place_first() {
    awk 1 "$STATE/staged/kube-apiserver.yaml" | sed -e "$placed_first" >"$STATE/staged/placed-first.yaml" &&
        record "placed-first=$(hash_of "$STATE/staged/placed-first.yaml")" && swap "$STATE/staged/placed-first.yaml" &&
        placed=1
}

# end_old_at_once: the second half of a quick restart. kubelet tries a pod that had to wait for another one again after
# some ten seconds; a manifest that is put in place once the old process has been killed is another pod, which starts at
# once. A valid manifest is in place all the time.
end_old_at_once() {
    sleep 2
    end_processes KILL
    killed_at=$(date -u +%Y-%m-%dT%H:%M:%S)
    sleep 1.2
    swap "$STATE/staged/kube-apiserver.yaml"
}

# say_cut_off_writes LOG: the writes that had begun and were not finished when the old process was killed. Each may or may
# not have reached etcd; its ResponseComplete is missing for good.
say_cut_off_writes() {
    [ -n "${killed_at:-}" ] && [ -f "$1" ] || return 0
    tail -c 67108864 "$1" | awk -v killed_at="$killed_at" '
        function field(name) {
            if (!match($0, "\"" name "\":\"[^\"]*\"")) return ""
            return substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 5)
        }
        { verb = field("verb") }
        verb !~ /^(create|update|patch|delete|deletecollection)$/ || field("requestReceivedTimestamp") > killed_at { next }
        { id = field("auditID"); stage = field("stage") }
        stage == "RequestReceived" { begun[id] = verb " " field("requestURI") " by " field("username") ", audit id " id }
        stage == "ResponseComplete" || stage == "Panic" { delete begun[id] }
        END {
            for (id in begun) { count++; print "cut off: " begun[id] }
            print "cut off: " count + 0 " writes in all"
        }'
}
