# shellcheck shell=sh disable=SC2034,SC2154
# The API server's process, and any other that is watched.

starting=kube-apiserver

# all_apiserver_pids: the process ids of the API servers that kubelet runs, the canary among them. Anybody can give a process
# that name; the control group of a static pod (its 32 hexadecimal digits) is kubelet's. A kubelet that gives pods no
# groups of their own is known by no process having one; then the name has to do.
all_apiserver_pids() {
    for named in $(processes_named kube-apiserver); do
        if is_static_pods "/proc/$named/cgroup" || ! is_static_pods "/proc/[0-9]*/cgroup"; then echo "$named"; fi
    done
}

# is_static_pods PATTERN: whether one of these control-group files is of a process of a static pod.
is_static_pods() {
    # shellcheck disable=SC2086  # a pattern
    grep -qs '/[^/]*pod[0-9a-f]\{32\}[./]' $1
}

# processes_named NAME: the process ids in this node's own network: a kind or vcluster API server has another one.
processes_named() {
    grep -lx "$1" /proc/[0-9]*/comm 2>/dev/null | while IFS= read -r comm; do
        process=${comm%/comm}
        # shellcheck disable=SC3013 # -ef is in dash, bash and busybox
        if [ "$process/ns/net" -ef /proc/self/ns/net ]; then echo "${process#/proc/}"; fi
    done
}

# apiserver_pids: the same without the canary that the journal names.
apiserver_pids() {
    canary_listens=$(journal canary-port)
    for pid in $(all_apiserver_pids); do
        if [ -z "$canary_listens" ] || ! listens_as_canary "$pid" "$canary_listens"; then echo "$pid"; fi
    done
}

# listens_as_canary PID PORT: whether this API server was started for that port.
listens_as_canary() { tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | grep -qx -e "--secure-port=$2"; }

kubelet_runs() { grep -qx kubelet /proc/[0-9]*/comm 2>/dev/null; }

# started PID: when it started, in seconds since the epoch. The kernel tells processes hundredths of a second wherever
# Kubernetes runs.
started() {
    awk '
        $1 == "btime" { boot = $2 }
        FILENAME != "/proc/stat" && sub(/^.*\) /, "") { printf "%.0f\n", int(boot + $20 / 100) }
    ' /proc/stat "/proc/$1/stat" 2>/dev/null
}

# identity PID: "PID:START", which no later process with the same number has; empty when it has ended. A process may have brackets
# and line breaks in its name. Whoever waits asks this several times a second, so it starts no process.
identity() {
    stat_fields=
    while IFS= read -r stat_line; do stat_fields="$stat_fields $stat_line"; done <"/proc/$1/stat"
    # shellcheck disable=SC2086  # the fields
    set -- "$1" ${stat_fields##*) }
    if [ "${2:-Z}" != Z ]; then say "$1:${21}"; fi
} 2>/dev/null

# alive IDENTITY: whether that very process lives.
alive() { [ -n "$1" ] && [ "$(identity "${1%%:*}")" = "$1" ]; }

# still_runs IDENTITY,...|no: whether one of these processes lives. The same command may run again long after it ended them.
# An earlier version of this program says PID@START, START being in seconds since the epoch: it moves when the clock is set.
still_runs() {
    for process in $(printf %s "$1" | tr , ' '); do
        case $process in
            *@*) if [ "$(started "${process%@*}")" = "${process#*@}" ]; then return 0; fi ;;
            *) if alive "$process"; then return 0; fi ;;
        esac
    done
    return 1
}

# running_arguments: the hash of the arguments that the API server runs with now; empty when none runs.
running_arguments() {
    for pid in $(apiserver_pids); do
        hash_of "/proc/$pid/cmdline"
        return
    done
}

# old_are_gone PIDS: whether none of them is an API server any more.
old_are_gone() {
    for pid in $(apiserver_pids); do
        case " $1 " in *" $pid "*) return 1 ;; esac
    done
}

# new_runs PIDS ARGUMENTS: whether an API server other than PIDS runs with these arguments; sets $new to its process id.
new_runs() {
    for new in $(apiserver_pids); do
        case " $1 " in *" $new "*) continue ;; esac
        if [ "$(hash_of "/proc/$new/cmdline")" = "$2" ]; then return; fi
    done
    return 1
}

# wait_until SECONDS COMMAND...: until COMMAND succeeds; status 1 when it does not in time, or the new API server ends
# again and again, with the reason in $problem. $starting names the container that is being started.
wait_until() {
    seconds=$1 deadline=$(($(uptime_seconds) + $1))
    shift
    until "$@"; do
        manifest_is_ours || return 1
        if crash_loops "$starting"; then
            problem="the API server cannot start"
            return 1
        fi
        if [ "$(uptime_seconds)" -ge "$deadline" ]; then
            problem="$problem within $seconds s"
            return 1
        fi
        keep_guard
        sleep 0.5
    done
}
