# shellcheck shell=sh
# What the containers of API servers wrote, as kubelet keeps it: to see a crash loop, and to hand the last words on. The
# real one and the canary have pod and container of the same name each.

# find_pod_logs [KUBELET-PIDS]: sets $pod_logs to the folder where kubelet keeps what containers write: its podLogsDir, in the
# file that it was given as --config or in those of --config-dir, of which the last one counts; else /var/log/pods.
find_pod_logs() {
    kubelets=${1-$(processes_named kubelet)}
    drop_ins=$(kubelet_flag config-dir "$kubelets")
    pod_logs=$(cat "$(kubelet_flag config "$kubelets")" "${drop_ins:-/none}"/*.conf 2>/dev/null |
        sed -n "s/^podLogsDir: *[\"']\{0,1\}\(\/[^\"' ]*[^\"'\/ ]\).*/\1/p" | tail -n 1)
    [ -n "$pod_logs" ] || pod_logs=/var/log/pods
}

# kubelet_flag NAME KUBELET-PIDS: what kubelet was given as --NAME, the last time; nothing where it was not.
kubelet_flag() {
    for pid in $2; do
        tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | sed -n "s/^--$1=//p; /^--$1\$/{n;p;}"
    done | tail -n 1
}

# container_logs NAME: a line "FOLDER NUMBER" for each log of the container NAME. kubelet numbers the starts of a pod's
# container from 0, goes on counting when the same manifest comes back (it is the same pod), and keeps the last few.
container_logs() {
    find_pod_logs
    find "$pod_logs" -path "*/kube-system_$1-*/$1/*.log" 2>/dev/null | sed -n 's|^\(.*\)/\([0-9]*\)\.log$|\1 \2|p'
}

# note_logs NAME: remembers which logs there are; what comes later is of the start that follows now.
note_logs() { container_logs "$1" >"$STATE/$1.logs"; }

# new_logs NAME: those that came since they were noted, as "STARTS PATH": how often that pod's container was started since.
# No time is compared: somebody may set the clock meanwhile.
new_logs() {
    { sed 's/^/noted /' "$STATE/$1.logs" && container_logs "$1" | sed 's/^/found /'; } 2>/dev/null | awk '
        $1 == "noted" { if ($3 >= first[$2]) first[$2] = $3 + 1; next }
        $3 >= first[$2] { print $3 - first[$2] + 1, $2 "/" $3 ".log" }'
}

# newest_log NAME: the last written of those, or of all where a run before this one has noted them.
newest_log() {
    logs=$(new_logs "$1" | cut -d ' ' -f 2)
    [ -n "$logs" ] || logs=$(container_logs "$1" | sed 's/ \([0-9]*\)$/\/\1.log/')
    # shellcheck disable=SC2086  # kubelet's names have no blanks
    [ -z "$logs" ] || find $logs -exec ls -1t {} + 2>/dev/null | head -n 1
}

# last_words NAME: the last lines of all containers of that pod; the newest one alone may not have said anything yet.
last_words() {
    log_file=$(newest_log "$1")
    [ -n "$log_file" ] || return 0
    find "$(dirname "$log_file")" -name '*.log' | sort -V | while IFS= read -r file; do cat "$file"; done |
        tail -n 20 | sed 's/^[^ ]* std[a-z]* [FP] //'
}

# crash_loops NAME: whether the container has been started a third time since its logs were noted.
crash_loops() {
    [ -e "$STATE/$1.logs" ] || return 1
    new_logs "$1" | awk '$1 > 2 { found = 1 } END { exit !found }'
}
