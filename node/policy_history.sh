# shellcheck shell=sh disable=SC2034,SC2154
# Which policy the API server of this node had, and when: an answer from a log of last month is judged by the policy of last
# month. It lies beside the backups, which outlive the stack.
#
#   $ARCHIVE/policies/history         one line for each observation, oldest first:
#       FIRST LAST SHA256 CHANGED STARTED BY
#       seen first and last; the policy's hash, or "absent"; when its file was last changed; when the API server started that ran;
#       who looked: "stack" after a change of its own, "found" before one, "removed" after a removal, "archive" for a backup of an
#       earlier version. Times are in seconds since 1970, 0 where they are not known.
#   $ARCHIVE/policies/SHA256.yaml     each text once
HISTORY_KEEPS=500

# note_policy BY PATH: writes down what is there now. Nothing depends on it: what cannot be written is said and no failure. In a
# shell of its own, whose names are nobody else's.
note_policy() (
    seen_now=$(date +%s)
    if ! { keep_policy_text "$2" && note_earlier_policies && add_observation "$seen_now" "$1" "$2"; }; then
        say "note: which policy is in force could not be written to $ARCHIVE/policies"
    fi
)

# add_observation NOW BY PATH: the last line once more where nothing but the time is new.
add_observation() {
    changed=0
    if [ -f "$3" ]; then changed=$(stat -c %Z "$3"); fi
    observed="$(hash_of "$3") $changed $(newest_start)"
    last=$(tail -n 1 "$ARCHIVE/policies/history" 2>/dev/null)
    first=$1 drop=0
    # shellcheck disable=SC2086  # its words
    set -- "$1" "$2" $last
    if [ $# -eq 8 ] && [ "$5 $6 $7 $8" = "$observed $2" ]; then first=$3 drop=1; fi
    {
        if [ "$drop" = 1 ]; then sed '$d' "$ARCHIVE/policies/history"; else cat "$ARCHIVE/policies/history" 2>/dev/null; fi
        say "$first $1 $observed $2"
    } | tail -n "$HISTORY_KEEPS" | keep_record "$ARCHIVE/policies/history"
}

# newest_start: when the API server was started that runs now; 0 where none does.
newest_start() {
    for pid in $(apiserver_pids); do started "$pid"; done | sort -n | tail -n 1 | grep . || echo 0
}

# keep_policy_text PATH: a copy under its hash, and a folder for it.
keep_policy_text() {
    mkdir -p "$ARCHIVE/policies" && chmod 700 "$ARCHIVE" "$ARCHIVE/policies" || return 1
    [ -f "$1" ] || return 0
    text=$ARCHIVE/policies/$(hash_of "$1").yaml
    [ -s "$text" ] || { cp "$1" "$text.new" && sync "$text.new" && mv -f "$text.new" "$text"; }
}

# note_earlier_policies: what the backups of an earlier version tell, once: that one kept no history.
note_earlier_policies() {
    [ ! -e "$ARCHIVE/policies/history" ] || return 0
    earlier=$(for backup_of_then in "$ARCHIVE"/[0-9]*T[0-9]*Z; do
        [ -f "$backup_of_then/audit-policy.yaml" ] || continue
        made=$(made_at "${backup_of_then##*/}") || continue
        keep_policy_text "$backup_of_then/audit-policy.yaml" || exit 1
        say "$made $made $(hash_of "$backup_of_then/audit-policy.yaml") 0 0 archive"
    done) || return 1
    [ -z "$earlier" ] || say "$earlier" | keep_record "$ARCHIVE/policies/history"
}

# made_at NAME: the time in a backup's name, 20250221T101112Z, in seconds since 1970.
made_at() {
    date -u -d "$(say "$1" | sed 's/^\(....\)\(..\)\(..\)T\(..\)\(..\)\(..\)Z$/\1-\2-\3 \4:\5:\6/')" +%s 2>/dev/null
}
