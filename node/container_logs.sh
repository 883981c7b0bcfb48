# shellcheck shell=sh
# What the API server's containers wrote, as kubelet keeps it: to see a crash loop, and to hand its last words on.

# container_logs: a line "FOLDER NUMBER" for each container log of the API server's pods. kubelet numbers the starts of a
# pod's container from 0, goes on counting when the same manifest comes back (it is the same pod), and keeps the last few.
container_logs() {
    find /var/log/pods -path '*/kube-system_kube-apiserver-*/kube-apiserver/*.log' 2>/dev/null |
        sed -n 's|^\(.*\)/\([0-9]*\)\.log$|\1 \2|p'
}

# newest_log: the newest container log of a kube-apiserver pod that began after the swap.
newest_log() {
    find /var/log/pods -path '*/kube-system_kube-apiserver-*/kube-apiserver/*.log' -newer "$STATE/swapped" \
        -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -n 1 | cut -d ' ' -f 2-
}

# last_words: the last lines of all containers of that pod; the newest one alone may not have said anything yet.
last_words() {
    log_file=$(newest_log)
    [ -n "$log_file" ] || return 0
    find "$(dirname "$log_file")" -name '*.log' | sort -V | while IFS= read -r file; do cat "$file"; done |
        tail -n 20 | sed 's/^[^ ]* std[a-z]* [FP] //'
}

# Whether the new pod's container has been started a third time since the swap.
crash_loops() {
    [ -e "$STATE/swapped" ] || return 1
    newest=$(newest_log)
    [ -n "$newest" ] || return 1
    number=${newest##*/}
    first=$(awk -v folder="${newest%/*}" '$1 == folder && $2 >= first { first = $2 + 1 } END { print first + 0 }' "$STATE/swapped")
    [ "${number%.log}" -ge $((first + 2)) ]
}
