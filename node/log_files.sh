#!/bin/sh
# The files of an audit log, for questions that are asked from elsewhere. Sent over SSH and not installed; reads only.
#   list path=FILE: the size, the name, and a line break, for the log and what was rotated away from it
#   send path=FILE: the file's content up to the size that it has now, compressed by gzip
#   policies path=FOLDER: the history in this folder (node/policy_history.sh) with its texts, and what is in force now
set -u
LC_ALL=C
export LC_ALL
PATH=/usr/sbin:/usr/bin:/sbin:/bin

fail() {
    echo "error: $1" >&2
    exit 1
}

# observed PID PATH: what the API server runs with, as a line of the history. The file is the one that the process sees.
observed() {
    file=/proc/$1/root$2
    start=$(awk '$1 == "btime" { boot = $2 }
        FILENAME != "/proc/stat" && sub(/^.*\) /, "") { printf "%.0f", int(boot + $20 / 100) }' /proc/stat "/proc/$1/stat") || return 0
    now=$(date +%s) sum=absent changed=0
    if [ -n "$2" ] && [ -f "$file" ]; then
        sum=$(sha256sum <"$file") changed=$(stat -L -c %Z "$file")
        printf 'text %s %s\n' "${sum%% *}" "$(base64 <"$file" | tr -d '\n')"
    fi
    printf 'observation %s %s %s %s %s now\n' "$now" "$now" "${sum%% *}" "$changed" "$start"
}

command=${1-}
path=${2-}
path=${path#path=}
case $path in
/*) ;;
*) fail "no absolute path: '$path'" ;;
esac

case $command in
list)
    [ -e "$path" ] || fail "$path is not there"
    for file in "$path" "${path%.*}"-* "$path".*; do
        # A pattern that nothing fits stands for itself.
        [ -f "$file" ] || continue
        case ${file##*/} in
        *[!A-Za-z0-9._-]*) continue ;;
        esac
        printf '%s %s\n' "$(stat -c %s "$file")" "${file##*/}"
    done
    ;;
send)
    [ -f "$path" ] || fail "$path is not there"
    # The API server writes whole lines: what is there now ends with one, and what is added meanwhile might not.
    size=$(stat -c %s "$path") || fail "$path cannot be read"
    # The API server goes first.
    head -c "$size" "$path" | nice -n 19 gzip -1 -c
    ;;
policies)
    for text in "$path"/*.yaml; do
        [ -f "$text" ] || continue
        name=${text##*/}
        printf 'text %s %s\n' "${name%.yaml}" "$(base64 <"$text" | tr -d '\n')"
    done
    if [ -f "$path/history" ]; then sed 's/^/observation /' "$path/history"; fi
    # shellcheck disable=SC2013 # names without blanks
    for comm in $(grep -lx kube-apiserver /proc/[0-9]*/comm 2>/dev/null); do
        pid=${comm%/comm} pid=${pid#/proc/}
        # shellcheck disable=SC3013 # -ef is in dash, bash and busybox
        [ "/proc/$pid/ns/net" -ef /proc/self/ns/net ] || continue
        arguments=$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null) || continue
        # The second API server that answers while the first restarts.
        case $arguments in *-canary*) continue ;; esac
        observed "$pid" "$(printf '%s\n' "$arguments" | sed -n 's/^--audit-policy-file=//p' | tail -n 1)"
    done
    ;;
*)
    fail "no such command: '$command'"
    ;;
esac
