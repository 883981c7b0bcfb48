# shellcheck shell=sh disable=SC2034,SC2154
# A quick restart: the old API server is killed instead of draining, and the new one starts at once.

# slot_of_first: where the manifest lies that comes out last.
slot_of_first() { say "$STATE/displaced-placed-first.yaml"; }

# place_first: the new manifest but for one annotation.
place_first() {
    awk 1 "$STATE/staged/kube-apiserver.yaml" | sed -e "$placed_first" >"$STATE/staged/placed-first.yaml" &&
        record "placed-first=$(hash_of "$STATE/staged/placed-first.yaml")" &&
        place "$STATE/staged/placed-first.yaml" "$MANIFEST" like "$known" && placed=1
}

# end_old_at_once: the second half of a quick restart. kubelet tries a pod that had to wait for another one again after
# some ten seconds; a manifest that is put in place once it is done with the old pod is another pod, which starts at
# once. A valid manifest is in place all the time.
end_old_at_once() {
    await_closed "${endpoint##*:}"
    groups=$(control_groups)
    end_processes KILL
    killed_at=$(date -u +%Y-%m-%dT%H:%M:%S)
    await_removed "$groups"
    place "$STATE/staged/kube-apiserver.yaml" "$MANIFEST" like "$(known_texts)" "$(slot_of_first)"
}

# await_closed PORT: until kubelet has asked the old API server to end, which takes no new connections from then on. Two
# seconds are more than kubelet takes to see a changed manifest.
await_closed() { for_tenths 20 is_listened_on "$1"; }

# control_groups: those of the pods whose processes must go, as paths in any of the mounted hierarchies.
control_groups() {
    for pid in $before; do
        sed 's/^[^:]*:[^:]*://; s,/[^/]*$,,' "/proc/$pid/cgroup" 2>/dev/null
    done | sort -u
}

# await_removed PATHS: until kubelet has removed these control groups, which is all but the last that it does for a pod
# (pkg/kubelet/kubelet.go, SyncTerminatedPod). Where they cannot be seen, for as long as that mostly takes.
await_removed() {
    if ! a_group_exists "$1"; then
        sleep 1.2
        return
    fi
    for_tenths 50 a_group_exists "$1"
    sleep 0.3
}

a_group_exists() {
    for path in $1; do
        for folder in "/sys/fs/cgroup$path" /sys/fs/cgroup/*"$path"; do
            if [ -d "$folder" ]; then return 0; fi
        done
    done
    return 1
}

# for_tenths COUNT COMMAND...: waits while COMMAND succeeds, no longer than so many tenths of a second.
for_tenths() {
    tenths=$1
    shift
    while [ "$tenths" -gt 0 ] && "$@"; do
        sleep 0.1
        tenths=$((tenths - 1))
    done
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
