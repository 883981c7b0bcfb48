# shellcheck shell=sh
# What the containers of API servers wrote, as kubelet keeps it: to see a crash loop, and to hand the last words on. The
# real one and the canary have pod and container of the same name each.

# find_pod_logs [KUBELET-PIDS]: sets $pod_logs to the folder where kubelet keeps what containers write: its podLogsDir, in the file that it was
# given as --config or in those of --config-dir, of which the last one counts; else /var/log/pods.
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

# newest_log NAME: the newest of its logs that was written to since they were noted.
newest_log() {
    find_pod_logs
    find "$pod_logs" -path "*/kube-system_$1-*/$1/*.log" -newer "$STATE/$1.logs" -exec ls -1t {} + 2>/dev/null | head -n 1
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
    newest=$(newest_log "$1")
    [ -n "$newest" ] || return 1
    number=${newest##*/}
    first=$(awk -v folder="${newest%/*}" '$1 == folder && $2 >= first { first = $2 + 1 } END { print first + 0 }' "$STATE/$1.logs")
    [ "${number%.log}" -ge $((first + 2)) ]
}
