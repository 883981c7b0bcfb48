# shellcheck shell=sh disable=SC2034,SC2154
# The ledger: how many audit events the files of this node hold, minute by minute, so that they can be compared with what Loki
# holds without moving the logs. It changes nothing. No line of a log leaves the node: counts, sums, digests, and of minutes
# that differ the auditIDs.

# What reads events, in every awk: mawk and busybox have no integers beyond 2^53 and no hexadecimal numbers.
#
# An event's minute goes by its stageTimestamp, as its time in Loki does, and holds its last moment and not its first: 10:01 is
# later than 10:01:00.000000 and at most 10:02:00.000000, as Loki's ranges are. The checksum of an auditID takes six bytes at a
# time as one number, modulo a prime; auditlog/ledger/checksum.py has the same for Loki and says why.
# shellcheck disable=SC2016
LEDGER_AWK='
BEGIN {
    for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i
    blanks = "                                    "
    begins = "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/"
    width = length(begins)
    marked = split(marks, mark, " ")
    asked = split(minutes, names, ",")
    for (i = 1; i <= asked; i++) wanted[names[i]] = 1
    events = others = truncated = size = 0
    first = last = earliest = latest = "-"
}
function number(text, from) {
    return ((((code[substr(text, from, 1)] * 256 + code[substr(text, from + 1, 1)]) * 256 + code[substr(text, from + 2, 1)]) \
        * 256 + code[substr(text, from + 3, 1)]) * 256 + code[substr(text, from + 4, 1)]) * 256 + code[substr(text, from + 5, 1)]
}
function checksum(id,   text) {
    text = substr(id blanks, 1, 36)
    return number(text, 1) % 1073741789 + number(text, 7) % 1073741783 + number(text, 13) % 1073741741 \
        + number(text, 19) % 1073741723 + number(text, 25) % 1073741719 + number(text, 31) % 1073741717
}
function hexadecimal(text,   i, value) {
    value = 0
    for (i = 1; i <= length(text); i++) value = value * 16 + index("0123456789abcdef", tolower(substr(text, i, 1))) - 1
    return value
}
function encoded(value) {
    if (value < 128) return sprintf("%c", value)
    if (value < 2048) return sprintf("%c%c", 192 + int(value / 64), 128 + value % 64)
    if (value < 65536) return sprintf("%c%c%c", 224 + int(value / 4096), 128 + int(value / 64) % 64, 128 + value % 64)
    return sprintf("%c%c%c%c", 240 + int(value / 262144), 128 + int(value / 4096) % 64, 128 + int(value / 64) % 64, 128 + value % 64)
}
# A text of JSON without its escapes: clients may send any auditID.
function plain(text,   result, at, kind, value) {
    result = ""
    while ((at = index(text, "\\")) > 0) {
        result = result substr(text, 1, at - 1)
        kind = substr(text, at + 1, 1)
        text = substr(text, at + 2)
        if (kind == "u") {
            value = hexadecimal(substr(text, 1, 4))
            text = substr(text, 5)
            if (value >= 55296 && value < 56320 && substr(text, 1, 2) == "\\u") {
                value = 65536 + (value - 55296) * 1024 + hexadecimal(substr(text, 3, 4)) - 56320
                text = substr(text, 7)
            }
            result = result encoded(value)
        } else if (kind == "n") result = result "\n"
        else if (kind == "t") result = result "\t"
        else if (kind == "r") result = result "\r"
        else if (kind == "b") result = result "\b"
        else if (kind == "f") result = result "\f"
        else result = result kind
    }
    return result text
}
# Where a text of JSON ends: at a quote that no backslash is before, or that an even number of them are.
function ended(text,   from, at, i) {
    from = 0
    while ((at = index(substr(text, from + 1), "\"")) > 0) {
        at += from
        for (i = at - 1; i > 0 && substr(text, i, 1) == "\\"; i--) {}
        if ((at - 1 - i) % 2 == 0) return at - 1
        from = at
    }
    return -1
}
# Sets id, stage and stamp; false where the line is no event, or not a whole one.
function is_event(line,   at, length_of_id, rest, from, more) {
    if (substr(line, 1, width) != begins || substr(line, length(line)) != "}") return 0
    if (!(at = index(line, "\"auditID\":\""))) return 0
    rest = substr(line, at + 11, 100)
    if (index(rest, "\"") == 0 || index(rest, "\\") > 0) rest = substr(line, at + 11)
    if ((length_of_id = ended(rest)) < 0) return 0
    id = substr(rest, 1, length_of_id)
    rest = substr(line, at + 12 + length_of_id, 40)
    if (substr(rest, 1, 10) != ",\"stage\":\"") return 0
    stage = substr(rest, 11)
    stage = substr(stage, 1, index(stage, "\"") - 1)
    # Bodies come before it and may hold the same name, so the last one counts. Most events have nothing behind it but
    # annotations, which texts of their own cannot hold unescaped.
    from = length(line) - 600
    rest = from > 0 ? substr(line, from) : line
    if (!(at = index(rest, "\"stageTimestamp\":\""))) { rest = line; at = index(rest, "\"stageTimestamp\":\"") }
    if (!at) return 0
    while ((more = index(substr(rest, at + 18), "\"stageTimestamp\":\"")) > 0) at += 17 + more
    stamp = substr(rest, at + 18, 28)
    if (substr(stamp, 27, 2) != "Z\"" || substr(stamp, 11, 1) != "T" || substr(stamp, 20, 1) != ".") return 0
    stamp = substr(stamp, 1, 27)
    # Two lines that were run together by a crash are no event to Loki either.
    if (index(substr(line, width), begins) > 0) return 0
    return 1
}
# Container runtimes write "TIME stdout F LINE", and a long line in parts marked P.
function unwrapped(line,   flag, stream) {
    line = substr(line, index(line, " ") + 1)
    stream = substr(line, 1, index(line, " ") - 1)
    line = substr(line, index(line, " ") + 1)
    flag = substr(line, 1, 1)
    line = substr(line, 3)
    if (flag == "P") { part[stream] = part[stream] line; return "" }
    line = part[stream] line
    part[stream] = ""
    return line
}
function take(line,   minute, i) {
    others += unfinished
    unfinished = 0
    if (!is_event(line)) {
        # The last line of a file that is written to may still be under way. Zeros after a crash are an empty line to busybox.
        if (!wrapped || substr(line, 1, width) == begins) unfinished = 1
        return
    }
    minute = substr(stamp, 1, 16) (substr(stamp, 17) == ":00.000000Z" ? "=" : "")
    if (asked) {
        if (minute in wanted && printed++ < limit) print "event " file " " stamp " " stage " " length(line) " " id
        return
    }
    events++
    if (first == "-") first = earliest = stamp
    if (stamp < earliest) earliest = stamp
    if (stamp > latest || latest == "-") latest = stamp
    last = stamp
    for (i = 1; i <= marked; i++) if (stamp <= mark[i]) upto[i]++
    if (index(substr(line, length(line) - 600), "\"audit.k8s.io/truncated\":\"true\"")) truncated++
    if (stamp <= since || stamp > until) return
    minute = minute " " stage
    count[minute]++
    bytes[minute] += length(line)
    sums[minute] += checksum(index(id, "\\") ? plain(id) : id)
}
{ size += length($0) + 1; take(wrapped ? unwrapped($0) : $0) }
END {
    if (asked) exit
    if (!live) others += unfinished
    for (minute in count) printf "sum %d %s %.0f %.0f %.0f\n", file, minute, count[minute], bytes[minute], sums[minute]
    for (i = 1; i <= marked; i++) printf "upto %d %s %.0f\n", file, mark[i], upto[i]
    printf "events %d %.0f %s %s %s %s %.0f %.0f %.0f\n", file, events, first, last, earliest, latest, others, truncated, size
}'

# ledger log=PATH since=STAMP until=STAMP after=SECONDS [digests=yes] [known=BYTES:LENGTH:SHA256] [marks=STAMP,...] [counter=yes]
# [service=NAMESPACE/NAME] [alloy=NAMESPACE]: what the files hold of the minutes after SINCE up to UNTIL, each as the API server
# writes times. Of files that were last written before AFTER, in seconds since 1970, only the first event is read, but with
# digests all of it. KNOWN asks of the file that begins with LENGTH bytes of this digest what its first BYTES are now. Of each
# of MARKS, and of the times of the counter, it is said how many events are not later.
ledger() {
    log=$(argument log "$@") || exit 1
    since=$(argument since "$@") || exit 1
    until=$(argument until "$@") || exit 1
    after=$(argument after "$@") || exit 1
    digests=$(given digests "$@")
    known=$(given known "$@")
    marks=$(given marks "$@" | tr , ' ')
    counted_before='' counted_after=''
    minutes='' limit=0 skipped=,
    service=$(given service "$@")
    alloy=$(given alloy "$@")
    echo "format 1"
    say "clock $(date -u +%s)"
    # Before the files are looked at: what was counted by then is in them.
    if [ "$(given counter "$@")" = yes ]; then ledger_counter; fi
    marks="$marks $counted_before $counted_after"
    for name in maxage maxbackup maxsize mode; do say "flag $name $(manifest_flag "audit-log-$name")"; done
    ledger_all
    if [ -n "$service" ]; then say "service $(service_address "$service")"; fi
    if [ -n "$alloy" ]; then alloy_state "namespace=$alloy" | sed -n '/^pod /p; /^complaint /p'; fi
    echo "end"
}

# recorded_ledger: one of the two, with the log of the stack's last change. The caller, who may be let to do just this as root,
# says on standard input which of them and with what, a word a line. No word names a file, and no answer tells what a line
# holds but its auditID, stage, time and length: digests are of whole lines alone.
recorded_ledger() {
    read -r asked_for || asked_for=''
    case $asked_for in ledger) run=ledger ;; ledger-events) run=ledger_events ;; *) fail "unknown question '$asked_for'; allowed: ledger, ledger-events" ;; esac
    set --
    while IFS= read -r pair; do
        case $pair in
            # The caller's word for it does not count.
            log=*) ;;
            *[!A-Za-z0-9:,.=/-]* | *=-*) fail "the word '$pair' has characters that no answer needs" ;;
            since=* | until=* | after=* | digests=* | known=* | marks=* | counter=* | minutes=* | limit=* | skip=* | service=* | alloy=*)
                set -- "$@" "$pair"
                ;;
            *) fail "the word '$pair' is not known" ;;
        esac
    done
    if is_whole "$STATE/paths"; then
        while IFS= read -r pair; do case $pair in log=*) set -- "$@" "$pair" ;; esac done <"$STATE/paths"
    fi
    given log "$@" >/dev/null || fail "no log is recorded in $STATE/paths; 'pulumi up' records it"
    "$run" "$@"
}

# ledger_events log=PATH minutes=MINUTE,... limit=N [skip=IDENTITY,...]: the events of these minutes, each written as
# 2026-11-29T05:10, or 2026-11-29T05:10= for its first moment, which belongs to the minute before. No more than N of each file.
ledger_events() {
    log=$(argument log "$@") || exit 1
    minutes=$(argument minutes "$@") || exit 1
    limit=$(argument limit "$@") || exit 1
    skipped=,$(given skip "$@"),
    since='' until='' after=0 digests='' known='' marks=''
    echo "format 1"
    ledger_all
    echo "end"
}

# ledger_counter: "counter BEFORE EVENTS AFTER START": what the API server has counted at a moment between these two, since it
# was started.
ledger_counter() {
    counted_before=$(stamp_now 0)
    counted=$(api "$(own_api)" --request-timeout=10s get --raw /metrics 2>/dev/null | awk '
        /^apiserver_audit_event_total/ { events += $2; found = 1 }
        /^process_start_time_seconds/ { start = $2 }
        END { if (found) printf "%.0f %.2f\n", events, start }')
    counted_after=$(stamp_now 1)
    [ -z "$counted" ] || say "counter $counted_before ${counted% *} $counted_after ${counted#* }"
}

# stamp_now SECONDS: now as the API server writes times. Where date has no fractions, that many seconds later.
stamp_now() {
    moment=$(date -u +%Y-%m-%dT%H:%M:%S.%N | cut -c 1-26)
    case $moment in
        *.[0-9][0-9][0-9][0-9][0-9][0-9]) say "${moment}Z" ;;
        *) date -u -d "@$(($(date +%s) + $1))" +%Y-%m-%dT%H:%M:%S.000000Z ;;
    esac
}

# ledger_all: reads every file with events. What is written to is opened first, since it may be rotated meanwhile, and read
# last; the time in the names of rotated files puts them in order.
ledger_all() {
    renice -n 19 -p $$ >/dev/null 2>&1
    exec 5>&1
    number=0 identities=, wrapped=0
    if [ "$log" = - ]; then
        wrapped=1
        find_pod_logs
        for path in "$pod_logs"/kube-system_kube-apiserver*/kube-apiserver*/*.log.[0-9]*; do ledger_path "$path" rotated; done
        for path in "$pod_logs"/kube-system_kube-apiserver*/kube-apiserver*/*.log; do ledger_path "$path" live; done
        return
    fi
    rotated_names "$log"
    # With exec by itself a shell would end where there is no such file.
    { command exec 6<"$log"; } 2>/dev/null || exec 6</dev/null
    { command exec 7<"$stem-canary$extension"; } 2>/dev/null || exec 7</dev/null
    for path in "$stem"-canary-[0-9]*"$extension" "$stem"-canary-[0-9]*"$extension.gz"; do ledger_path "$path" canary-rotated; done
    ledger_open "$stem-canary$extension" canary-live 3<&7
    for path in "$stem"-[0-9]*"$extension" "$stem"-[0-9]*"$extension.gz"; do ledger_path "$path" rotated; done
    ledger_detached
    ledger_open "$log" live 3<&6
    exec 6<&- 7<&-
}

# ledger_path PATH KIND: a file by its name, or what it was compressed to meanwhile. One that is just being compressed is there
# twice, and whole without compression only.
ledger_path() {
    case $1 in *.gz) [ ! -f "${1%.gz}" ] || return 0 ;; esac
    for name in "$1" "$1.gz"; do
        [ -f "$name" ] || continue
        if { command exec 8<"$name"; } 2>/dev/null; then
            ledger_open "$name" "$2" 3<&8
            exec 8<&-
            return
        fi
        [ ! -f "$name" ] || say "unreadable $(printf '%s' "$name" | base64 -w 0)" >&5
    done
}

# ledger_open PATH KIND: what descriptor 3 leads to, whatever it is called by now.
ledger_open() {
    path=$1 kind=$2
    # shellcheck disable=SC2046  # identity, size and time
    set -- $(stat -L -c '%d:%i %s %Y %F' /proc/self/fd/3)
    [ "${4:-}" = regular ] || return 0
    case $identities in *,"$1",*) return 0 ;; esac
    case $skipped in *,"$1",*) return 0 ;; esac
    identities=$identities$1, size=$2
    number=$((number + 1))
    # The last line of what is written to may be under way.
    case $kind in *live) [ -z "$(ledger_content | tail -c 1)" ] || size=$((size - $(ledger_content | tail -n 1 | wc -c))) ;; esac
    say "file $number $kind $1 $size $3 $(printf '%s' "$path" | base64 -w 0)" >&5
    if [ "$digests" = yes ]; then
        sum=$({ { ledger_whole | tee /proc/self/fd/4 | ledger_awk >&5; } 4>&1 | sha256sum; } 9>&1)
        say "digest $number $(say "$sum" | sed -n 's/ .*-$//p')" >&5
        ledger_known
    elif [ "$3" -lt "$after" ]; then
        sum=''
        say "skipped $number" >&5
        ledger_content 2>/dev/null | head -n 1 | ledger_awk >&5
    else
        sum=$({ ledger_whole | ledger_awk >&5; } 9>&1)
    fi
    case $sum in *damaged*) say "damaged $number" >&5 ;; esac
}

# ledger_whole: the content, and "damaged" on descriptor 9 where not all of it can be uncompressed.
ledger_whole() { ledger_content 2>/dev/null || echo damaged >&9; }

# ledger_content: of a file that is written to no more than it held when it was opened.
ledger_content() {
    case $path in
        *.gz) gzip -dc </proc/self/fd/3 ;;
        *) head -c "$size" /proc/self/fd/3 ;;
    esac
}

# ledger_awk: a byte of zeros, as a power cut leaves them, ends a line for awk of busybox; here it is a byte like any other.
ledger_awk() {
    growing=0
    case $kind in *live | detached) growing=1 ;; esac
    tr '\000' '?' | awk -v file="$number" -v live="$growing" -v wrapped="$wrapped" -v since="$since" -v until="$until" -v marks="$marks" \
        -v minutes="$minutes" -v limit="$limit" "$LEDGER_AWK"
}

# ledger_known: how a file begins that is written to, by which it is known later; whether this is the file of $known, and if
# so what it holds where that one held something.
ledger_known() {
    case $kind in *live)
        [ "$size" -lt 1024 ] && head_length=$size || head_length=1024
        found=$(ledger_content 2>/dev/null | head -c "$head_length" | sha256sum)
        say "head $number $head_length ${found%% *}" >&5
        ;;
    esac
    [ -n "$known" ] || return 0
    known_bytes=${known%%:*} known_sum=${known##*:}
    known_length=${known#*:} known_length=${known_length%:*}
    [ "$known_length" = 1024 ] || ends_line "$known_length" || return 0
    found=$(ledger_content 2>/dev/null | head -c "$known_length" | sha256sum)
    [ "${found%% *}" = "$known_sum" ] && ends_line "$known_bytes" || return 0
    found=$(ledger_content 2>/dev/null | head -c "$known_bytes" | sha256sum)
    say "prefix $number ${found%% *}" >&5
}

# ends_line BYTES: whether so many bytes of the file are whole lines. Digests of any length would tell byte for byte what is in it.
ends_line() { [ -z "$(ledger_content 2>/dev/null | head -c "$1" | tail -c 1)" ]; }

# ledger_detached: what the API server writes to where that is not the log: a file that was deleted or replaced, which it keeps
# open (https://github.com/kubernetes/kubernetes/issues/111208). Looked at twice, since a rotation looks the same for a moment.
ledger_detached() {
    [ "$log" != - ] && [ "$(id -u)" = 0 ] || return 0
    for pid in $(apiserver_pids); do
        opened=$(ledger_opened "$pid")
        [ -n "$opened" ] || continue
        sleep 1
        [ "$opened" = "$(ledger_opened "$pid")" ] || continue
        say "detached $pid $(printf '%s' "${opened#* }" | base64 -w 0)" >&5
        ledger_open "${opened#* }" detached 3<"/proc/$pid/fd/${opened%% *}"
    done
}

# ledger_opened PID: "DESCRIPTOR PATH" of the log that the process has open, unless that is the file at the log's own path.
ledger_opened() {
    # shellcheck disable=SC2012  # one process instead of one for each descriptor
    ls -l "/proc/$1/fd" 2>/dev/null | sed -n 's/^.* \([0-9][0-9]*\) -> \(.*\)$/\1 \2/p' | while read -r descriptor target; do
        case $target in "${log%/*}"/*) ;; *) continue ;; esac
        case ${target##*/} in "${stem##*/}-canary"*) continue ;; esac
        [ "$(stat -L -c %d:%i "/proc/$1/fd/$descriptor")" = "$(stat -L -c %d:%i "$log" 2>/dev/null)" ] || say "$descriptor $target"
    done | head -n 1
}
