#!/bin/sh
# Has Alloy read again, when it starts, what it may have left out of a file that is written to.
#
# usage: alloy_places.sh STORAGE MINUTES PROGRAM ARGUMENT...
#
# It becomes PROGRAM in the end, so that it comes before every start: an init container is not run again when Alloy is
# killed.
#
# Alloy notes its place in a file by the file's name, every ten seconds. Two things go wrong with that (auditlog/observe/
# alloy.py has the sources): a file that was rotated after that note is not the one that the note is about, and what a
# killed Alloy had read before it but not delivered is not read again. So the place in a file that was rotated since, or
# in the last MINUTES, is forgotten; of any other, the last that was read is laid where Alloy reads it once more, as it
# does a rotated file. What comes twice is one entry in Loki.
#
# It never keeps Alloy from starting: without it, what is in the file behind the noted place still arrives.
set -u

storage=$1
minutes=$2
shift 2
positions=$storage/loki.source.file.audit/positions.yml
again=$storage/read-again.log
# Twice what loki.write gathers before it sends.
bytes=2097152

# What may have been noted up to twenty seconds before Alloy ended: it takes a note every ten, and writes all every ten.
noted=$storage/noted

is_rotated() {
    base=${1##*/}
    case $base in *.*) extension=.${base##*.} ;; *) extension= ;; esac
    # As the API server names them, and as kubelet names those of containers: auditlog/observe/source.py has both.
    [ -n "$(find "${1%"$extension"}"-????-??-??T??-??-??.???"$extension"* "$1".????????-??????* \
        \( -cnewer "$noted" -o -cmin "-$minutes" \) -print 2>/dev/null)" ]
}

# A place that cannot be written down again, for want of room, stays as Alloy noted it.
keep() {
    printf '%s\n' "$1" || exit
}

(
    umask 077
    rm -f "$again"
    [ -s "$positions" ] || exit
    touch -r "$positions" -d '-1 minute' "$noted" || exit

    entry=
    while IFS= read -r line; do
        case ${line#"${line%%[! ]*}"} in
            '? path: '*)
                entry=$line
                file=${line#*'? path: '}
                ;;
            ': "'*'"')
                place=${line#*'"'}
                if [ -n "$entry" ] && is_rotated "$file"; then
                    echo "$file was rotated: it is read from its beginning" >&2
                else
                    [ -z "$entry" ] || head -c "${place%'"'}" "$file" | tail -c "$bytes" >>"$again"
                    keep "${entry:+$entry
}$line"
                fi
                entry=
                ;;
            *)
                if [ -n "$entry" ]; then
                    entry="$entry
$line"
                else
                    keep "$line"
                fi
                ;;
        esac
    done <"$positions" >"$positions.new"
    [ -z "$entry" ] || keep "$entry" >>"$positions.new"
    mv "$positions.new" "$positions"
)
exec "$@"
