# shellcheck shell=sh disable=SC2034,SC2154
# A quick restart: the old API server is killed instead of draining, and the new one starts at once.

# place_first: the new manifest but for one annotation.
place_first() {
    awk 1 "$STATE/staged/kube-apiserver.yaml" | sed -e "$placed_first" >"$STATE/staged/placed-first.yaml" &&
        record "placed-first=$(hash_of "$STATE/staged/placed-first.yaml")" && swap "$STATE/staged/placed-first.yaml" &&
        placed=1
}

# end_old_at_once: the second half of a quick restart. kubelet tries a pod that had to wait for another one again after
# some ten seconds; a manifest that is put in place once the old pod has ended is another pod, which starts at once. A
# valid manifest is in place all the time.
end_old_at_once() {
    await_refusal
    pods=$(for pid in $before; do pod_cgroup "$pid"; done)
    end_processes KILL
    killed_at=$(date -u +%Y-%m-%dT%H:%M:%S)
    await_pods_ended "$pods"
    swap "$STATE/staged/kube-apiserver.yaml"
}

# await_refusal: until kubelet has told the old API server to end and it takes no new requests, and half a second more
# for those it has; two seconds in all where it goes on answering, as --shutdown-delay-duration has it do.
await_refusal() {
    for _ in 1 2 3 4 5; do
        healthy "$endpoint" || break
        sleep 0.3
    done
    sleep 0.5
}

# pod_cgroup PID: the folder of its pod's cgroup, which kubelet removes as the last of a pod; nothing where there is none.
pod_cgroup() {
    path=$(sed -n 's/^[0-9]*:memory:/\/memory/p; s/^0:://p' "/proc/$1/cgroup" 2>/dev/null | sed 1q)
    case ${path%/*} in
        */*pod*) echo "/sys/fs/cgroup${path%/*}" ;;
    esac
}

# await_pods_ended FOLDERS: until kubelet is done with the pods of these cgroups, or for as long as that usually takes.
await_pods_ended() {
    waited=0
    while [ "$waited" -lt 12 ] || { [ "$waited" -lt 40 ] && is_any_there "$1"; }; do
        if [ -n "$1" ] && ! is_any_there "$1"; then return; fi
        sleep 0.1
        waited=$((waited + 1))
    done
}

is_any_there() {
    for folder in $1; do
        if [ -d "$folder" ]; then return; fi
    done
    return 1
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
