# shellcheck shell=sh disable=SC2034,SC2154
# Copies of the manifest and the files that it names: one of each for every change, and those that removal gives back.

# back_up: the manifest and the files of this change as they are now, in a folder of the archive; sets $backup. It gets its name
# once it is whole: people look there when all else fails.
back_up() {
    backup=$ARCHIVE/$(date -u +%Y%m%dT%H%M%SZ)
    while [ -e "$backup" ]; do backup=$backup.1; done
    sequence=$(cat "$ARCHIVE"/*/sequence 2>/dev/null | sort -n | tail -n 1)
    making=$ARCHIVE/.unfinished
    if ! { rm -rf "$making" && mkdir -p "$making" && chmod 700 "$ARCHIVE" "$making" &&
        cp -p "$MANIFEST" "$making/kube-apiserver.yaml" && copy_files_to "$making" &&
        echo "$((${sequence:-0} + 1))" >"$making/sequence" && sync "$making"/* "$making" &&
        mv -T "$making" "$backup" && sync "$ARCHIVE" "${ARCHIVE%/*}"; }; then
        rm -rf "$making"
        problem="cannot back up $MANIFEST and the files that it names to $ARCHIVE"
        return 1
    fi
    changed=$MANIFEST
    if ! is_among "$(hash_of "$backup/kube-apiserver.yaml")" "$read_texts" || ! files_are_as_read; then
        changed_by_others "" "$changed"
        return 1
    fi
    keep_way_back "$backup" || return 1
    if [ ! -e "$STATE/owner" ]; then : >"$backup/before-audit-logging" && sync "$backup"; fi
    prune_archive
    say "backup: $backup"
}

# copy_files_to FOLDER: those of this change that there are.
copy_files_to() {
    for kind in $KINDS; do
        live=$(journal "$kind")
        [ ! -f "$live" ] || cp -p "$live" "$1/audit-$kind.yaml" || return 1
    done
}

# files_are_as_read: whether the backup holds what this run has read; $changed is the first that does not. A change that does
# not replace a file takes it as it is.
files_are_as_read() {
    for kind in $KINDS; do
        changed=$(journal "$kind") copy=$backup/audit-$kind.yaml
        [ -z "$(journal "$kind-desired")" ] || [ ! -f "$copy" ] || is_among "$(hash_of "$copy")" "$read_texts" || return 1
    done
}

# Keeps the newest backups, and every one of a time before audit logging. Which is newer their numbers tell, the clock does
# not; those of an earlier version have none and are the oldest, in the order of their names.
prune_archive() {
    find "$ARCHIVE" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*' | while IFS= read -r old; do
        printf '%012d %s\n' "$(cat "$old/sequence" 2>/dev/null || echo 0)" "$old"
    done | sort -r | tail -n "+$((ARCHIVE_KEEPS + 1))" | while read -r _ old; do
        [ "$old" = "${backup:-}" ] || [ -e "$old/before-audit-logging" ] || rm -rf "$old"
    done
}

# forget_credentials: copies of the webhook's kubeconfig that no change falls back to any more. One of a time before audit
# logging is not the stack's, and what somebody else wrote during this very change is theirs to look at: both stay.
forget_credentials() {
    rm -f "$STATE/staged/put-back-audit-webhook.yaml"
    for copy in "$ARCHIVE"/*/*; do
        folder=${copy%/*}
        if [ ! -f "$copy" ] || [ -e "$folder/before-audit-logging" ]; then continue; fi
        case ${copy##*/} in
            audit-webhook.yaml) rm -f "$copy" ;;
            wanted-* | changed-by-others-*)
                if [ "$folder" != "${backup:-}" ] && grep -q -E 'kind"?: *"?Config("|,|\}| *$)' "$copy"; then rm -f "$copy"; fi
                ;;
        esac
    done
}

# keep_before ARGUMENTS...: what is there before the stack's first change, for removal to give back; the arguments name the
# files. One that a later change brings is kept then, and none is when the stack wrote it.
keep_before() {
    problem="cannot write $STATE/before"
    mkdir -p "$STATE/before" || return 1
    if [ -n "${begins_anew:-}" ] && [ ! -e "$STATE/owner" ] && [ -e "$STATE/before/kube-apiserver.yaml" ]; then return 0; fi
    if [ ! -e "$STATE/owner" ]; then
        rm -f "$STATE/before/kube-apiserver.yaml"
        put "$MANIFEST" "$STATE/before/kube-apiserver.yaml" 600 || return 1
    fi
    for kind in $KINDS; do
        live=$(given "$kind" "$@")
        if [ ! -e "$STATE/owner" ]; then
            if is_left_over "$kind" "$live"; then continue; fi
        else
            keep_moved "$kind" "$live" || return 1
            if [ -z "$live" ] || [ -n "$(path_of "$kind")" ]; then continue; fi
        fi
        rm -f "$STATE/before/audit-$kind.yaml"
        [ ! -f "$live" ] || put "$live" "$STATE/before/audit-$kind.yaml" 600 || return 1
    done
}

# clear_left_over: before the change touches files. A removal or a move that was cut off may have left beside one of them the
# file from before, on its way in, or the stack's own. Nobody wrote these while this change was made.
clear_left_over() {
    for kind in $KINDS; do
        target=$(journal "$kind")
        [ -n "$target" ] || continue
        slot=$(slot_of "$target")
        left_texts="$(hash_of "$STATE/before/audit-$kind.yaml") $(cat "$STATE/written/$kind" 2>/dev/null)"
        if [ -f "$slot" ] && [ ! -L "$slot" ] && is_among "$(hash_of "$slot")" "$left_texts"; then clear_slot "$target" "$left_texts"; fi
    done
}

# is_left_over NAME FILE: whether the file is one that the stack wrote, and a removal that was cut off has not come to.
is_left_over() { is_whole "$STATE/written/$1" && [ "$(hash_of "$2")" = "$(cat "$STATE/written/$1")" ]; }

# keep_way_back BACKUP: copies of its files that restore_files only has to rename. A disk that fills up while the API
# server is away then does not keep the earlier one from coming back.
keep_way_back() {
    for copy in "$1"/*.yaml; do
        keep_copy "$copy" "$STATE/staged/put-back-${copy##*/}" || return 1
    done
}

# keep_copy FILE COPY: COPY is whole or not there. Writes nothing where it is whole already.
keep_copy() {
    problem="cannot write $2"
    [ "$(hash_of "$1")" = "$(hash_of "$2")" ] ||
        { cp -p "$1" "$2.new" && sync "$2.new" && mv -f "$2.new" "$2" && sync "$(dirname "$2")"; }
}

# restore_files BACKUP: the files of this change as they are in BACKUP. What somebody else wrote meanwhile stays: $left_alone
# names it, and $edited says whether they wrote into a file that came back. The manifest comes first, then the files go that
# it no longer needs; they stay where the manifest is somebody else's.
restore_files() {
    left_alone='' edited=''
    for kind in $KINDS; do
        put_back "$1/audit-$kind.yaml" "$(journal "$kind")" || return 1
    done
    put_back "$1/kube-apiserver.yaml" "$MANIFEST" || return 1
    case " $left_alone " in *" $MANIFEST "*) return 0 ;; esac
    for kind in $KINDS; do
        take_back "$1/audit-$kind.yaml" "$(journal "$kind")" || return 1
    done
}

# put_back FILE TARGET: FILE's text becomes TARGET again; nothing where FILE is not there. What came out of TARGET when the
# new file came, and lies in its slot, is the very file that was there: what its writer wrote into it since comes back too.
put_back() {
    if [ ! -f "$1" ] || [ "$(hash_of "$1")" = "$(hash_of "$2")" ]; then return 0; fi
    known=$(known_texts)
    if ! is_expected "$2" "$known"; then
        leave "$2"
        return 0
    fi
    slot=$(slot_of "$2") copy=$STATE/staged/put-back-${1##*/}
    if was_displaced "$slot" "$1" "$known"; then
        if [ "$(hash_of "$slot")" != "$(hash_of "$1")" ]; then
            keep_copy_of_others "$slot" "$2"
            record "known=$(journal known) $(hash_of "$slot")" && edited=yes
        fi
        copy=$slot
    else
        keep_copy "$1" "$copy" || return 1
        if [ "$(stat -c %d "$copy")" != "$(stat -c %d "$(dirname "$2")")" ]; then
            fill_slot "$copy" "$2" 600 "$slot" || return 1
            copy=$slot
        fi
    fi
    problem="cannot put $1 back"
    if swap_in "$copy" "$2" "$known"; then return 0; fi
    is_expected "$2" "$known" && return 1
    leave "$2"
}

# was_displaced SLOT FILE KNOWN: whether SLOT holds what came out of the target, and not the new file on its way in.
was_displaced() {
    [ -f "$1" ] && [ ! -L "$1" ] || return 1
    [ "$(hash_of "$1")" = "$(hash_of "$2")" ] || ! is_among "$(hash_of "$1")" "$3"
}

# take_back FILE TARGET: TARGET goes where there was none before, which FILE's absence tells.
take_back() {
    if [ -z "$2" ] || [ -f "$1" ]; then return 0; fi
    withdraw "$2" "$(known_texts)" || leave "$2"
}

# leave TARGET: it stays as somebody else wrote it.
leave() {
    left_alone="$left_alone $1"
    keep_copy_of_others "$1" "$1"
    say "left: $1 stays as somebody else wrote it meanwhile"
}

# clear_slots: the change of the journal is over. What somebody wrote into a file that it displaced is kept.
clear_slots() {
    known=$(known_texts)
    for kind in $KINDS; do
        target=$(journal "$kind")
        [ -z "$target" ] || clear_slot "$target" "$known"
    done
    clear_slot "$MANIFEST" "$known"
    clear_slot "$MANIFEST" "$known" "$(slot_of_first)"
}
