# shellcheck shell=sh
# What the containers of API servers wrote, as kubelet keeps it: to see a crash loop, and to hand the last words on. The
# real one and the canary have pod and container of the same name each.

# container_logs NAME: a line "FOLDER NUMBER" for each log of the container NAME. kubelet numbers the starts of a pod's
# container from 0, goes on counting when the same manifest comes back (it is the same pod), and keeps the last few.
container_logs() {
    find /var/log/pods -path "*/kube-system_$1-*/$1/*.log" 2>/dev/null | sed -n 's|^\(.*\)/\([0-9]*\)\.log$|\1 \2|p'
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
    [ -z "$logs" ] || find $logs -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -n 1 | cut -d ' ' -f 2-
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
