#!/bin/sh
# The files of an audit log, for questions that are asked from elsewhere. Sent over SSH and not installed; reads only.
#   list path=FILE: the size, the name, and a line break, for the log and what was rotated away from it
#   send path=FILE: the file's content up to the size that it has now, compressed by gzip
set -u
LC_ALL=C
export LC_ALL
PATH=/usr/sbin:/usr/bin:/sbin:/bin

fail() {
    echo "error: $1" >&2
    exit 1
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
*)
    fail "no such command: '$command'"
    ;;
esac
