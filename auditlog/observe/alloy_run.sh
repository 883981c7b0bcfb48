#!/bin/bash
# Runs Alloy so that no end of it loses an event.
#
# usage: alloy_run.sh STORAGE MINUTES PROGRAM ARGUMENT...
#        with POD_IP, and PORT of Alloy's HTTP server, in the environment
#
# Alloy (otelcol.storage.file) keeps in STORAGE/places how far it has read each file. That place moves on when an event
# has been handed to loki.write, which acknowledges nothing. What waits there is lost with a killed Alloy, and with one
# that is stopped while Loki is away. An orderly stop can lose the event that is just being handed on: Alloy 1.18 stops
# all components at once. So this keeps in STORAGE:
#
#   since       the time of the oldest event that is sent, written once: MINUTES before the first start, or where the
#               Alloy of an earlier version of the stack had come
#   delivered   a copy of places: all that had been read when it was taken has arrived, as Alloy's own counters say
#   candidate   a copy of which that is not known yet
#
# Every start begins at `delivered`: what was read since is read once more, and Loki shows it once. Without a copy all
# from `since` on that is still in the files is read. A full disk keeps copies from being made, so it makes Alloy read
# more and never less.
set -u
umask 077

storage=$1
minutes=$2
shift 2
cd "$storage" || exit

# Seconds between two looks at the counters: three to four of them is how far `delivered` is behind.
interval=${INTERVAL:-2}
former=loki.source.file.audit/positions.yml
# Twice what the Alloy of an earlier version gathered before it sent.
former_batch=2097152

say() {
    echo "alloy_run.sh: $*" >&2
}

as_time() {
    date -u -d "$1" +%Y-%m-%dT%H:%M:%S.000000Z
}

# last_before FILE BYTES: the time of the last event in the first so many bytes.
last_before() {
    head -c "$2" "$1" | tail -c "$former_batch" | grep -o '"stageTimestamp":"[^"]*"' | tail -n 1 | cut -d '"' -f 4
}

was_rotated() {
    local base=${1##*/} extension=''
    [[ $base == *.* ]] && extension=.${base##*.}
    # As the API server names them, and as kubelet names those of containers: auditlog/observe/source.py has both.
    [ -n "$(find "${1%"$extension"}"-????-??-??T??-??-??.???"$extension"* "$1".????????-??????* -cnewer noted 2>/dev/null)" ]
}

# Where the Alloy of an earlier version had come: it noted every ten seconds, by name, how many bytes it had read.
former_time() {
    local found line file='' place at
    touch -r "$former" -d '-1 minute' noted
    found=$(as_time "$(date -u -r noted '+%F %T UTC')")
    while IFS= read -r line; do
        case $line in
            *'? path: '*) file=${line#*'? path: '} ;;
            *': "'*'"')
                [ -n "$file" ] || continue
                place=${line#*'"'}
                place=${place%'"'}
                if was_rotated "$file"; then
                    at=$(as_time "$(date -u -r noted '+%F %T UTC') - $minutes minutes")
                elif [ -f "$file" ] && [ "$(wc -c <"$file")" -gt "$place" ]; then
                    at=$(last_before "$file" "$((place > former_batch ? place - former_batch : 1))")
                    [ -n "$at" ] || at=$(grep -o -m 1 '"stageTimestamp":"[^"]*"' "$file" | head -n 1 | cut -d '"' -f 4)
                else
                    at=
                fi
                [[ -n $at && $at < $found ]] && found=$at
                file=
                ;;
        esac
    done <"$former"
    echo "$found"
}

begin() {
    local since=''
    [ ! -s since ] || since=$(<since)
    # Written while the clock was ahead it would leave out all that is said until then.
    [[ ! $since > $(as_time now) ]] || since=''
    if [ -z "$since" ]; then
        if [ -s "$former" ]; then since=$(former_time); else since=$(as_time "-$minutes minutes"); fi
        echo "$since" >since.new && sync since.new && mv since.new since
        say "events from $since on are sent"
    fi
    rm -rf loki.source.file.* noted read-again.log candidate candidate.new
    [ -d delivered ] || [ ! -d delivered.old ] || mv delivered.old delivered
    export AUDIT_SINCE=$since
}

recover() {
    rm -rf places.new
    if [ -d delivered ] && cp -Rp delivered places.new && rm -rf places && mv places.new places; then
        local files=(places/*)
        say "what was read since $(date -u -r "${files[0]}" '+%F %T UTC') is read again"
    elif [ -d places ]; then
        say "all events from $AUDIT_SINCE on that are in the files are read again"
        rm -rf places || exit
    fi
}

# Sets `taken`, the entries that reached the pipeline and were not left out there, and `gone`, those that loki.write
# has delivered or been refused.
count() {
    local name value answer
    taken=0 gone=0
    exec 3<>"/dev/tcp/$POD_IP/$PORT" || return
    printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
    answer=$(grep -E '^(otelcol_exporter_loki_entries_processed|loki_process_dropped_lines_total|loki_write_(sent|dropped)_entries_total)\{.*component_id="[a-z.]*audit' <&3)
    exec 3>&-
    [[ $answer == otelcol_exporter_loki_* || $answer == *$'\n'otelcol_exporter_loki_* ]] || return
    while read -r name value; do
        # Large values come as 1.234567e+06.
        printf -v value %.0f "${value##* }"
        case $name in
            otelcol_*) taken=$((taken + value)) ;;
            loki_process_*) taken=$((taken - value)) ;;
            *) gone=$((gone + value)) ;;
        esac
    done <<<"$answer"
}

# A copy of places as they are at one moment: what is copied while Alloy writes differs afterwards.
take_candidate() {
    local attempt
    for attempt in 1 2 3 4 5; do
        rm -rf candidate.new
        cp -Rp places candidate.new 2>/dev/null && diff -rq places candidate.new >/dev/null 2>&1 && break
        [ "$attempt" -lt 5 ] || return
    done
    sync candidate.new/* && mv candidate.new candidate
}

# A candidate is what was delivered once as many entries are gone as had been taken after it was made. Twice: filelog
# gathers some entries before it hands them on, which may have come into the count only after the first time.
watch_delivery() {
    local target='' rounds=0
    # It ends with the shell that started it, also where that is killed and has no namespace of its own.
    while sleep "$interval" && kill -0 "$$" 2>/dev/null; do
        if [ ! -d candidate ]; then
            take_candidate && target= && rounds=2
            continue
        fi
        count 2>/dev/null || continue
        if [ -n "$target" ] && [ "$gone" -ge "$target" ]; then
            rounds=$((rounds - 1))
            target=
        fi
        if [ "$rounds" -eq 0 ]; then
            rm -rf delivered.old
            [ ! -d delivered ] || mv delivered delivered.old
            mv candidate delivered
            rm -rf delivered.old
        elif [ -z "$target" ]; then
            target=$taken
        fi
    done
}

# shellcheck disable=SC2329  # by the trap below
stop() {
    interrupted=yes
    # What loki.write gives up at its end counts as gone.
    kill "$watcher" 2>/dev/null
    kill -TERM "$alloy"
}

begin
recover
"$@" &
alloy=$!
watch_delivery &
watcher=$!
interrupted=''
trap stop TERM INT
# A signal ends the first wait; the second has Alloy's own exit code, also when it has ended meanwhile.
while
    interrupted=''
    wait "$alloy"
    status=$?
    [ -n "$interrupted" ]
do :; done
kill "$watcher" 2>/dev/null
exit "$status"
