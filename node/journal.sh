# shellcheck shell=sh
# The journal of a change that is under way: all that a guard or a later run needs to bring the node in order.
#
#   step=NAME             what is being done: one of STEPS, or put-back or restored on the way back
#   worker=PID:START      the process that does it
#   boot=ID               when the machine was started, for process ids to mean something
#   backup=FOLDER         manifest and policy as they were
#   processes=PID...      the API servers that must go
#   canary-port=PORT      where the canary listens; empty once it is gone
#   placed-first=SHA256   the manifest that a quick restart puts in place before the new one
#   known=SHA256...       further texts that this change has read or written, such as those of the run before it
#   edited=yes            the way back left a manifest in place that somebody else wrote meanwhile
#   arguments=SHA256, arguments-before=SHA256, desired=SHA256, endpoint=URL, timeout=SECONDS, KIND=PATH, KIND-desired=SHA256
#                         what the operator asked for; KIND is one of KINDS

# journal NAME: what the journal says of NAME; nothing without a journal. Whoever waits asks it twenty times a second, so this
# starts no process.
journal() {
    while IFS= read -r journal_entry; do
        case $journal_entry in "$1="*) say "${journal_entry#*=}" ;; esac
    done <"$STATE/journal"
} 2>/dev/null

# record NAME=VALUE...: these entries in the journal, whole or not at all, also if the power goes.
record() {
    entries=$(cat "$STATE/journal" 2>/dev/null)
    for entry in "$@"; do
        entries=$(printf '%s\n' "$entries" | sed "/^${entry%%=*}=/d; /^\$/d"; printf '%s\n' "$entry")
    done
    printf '%s\n' "$entries" | keep_record "$STATE/journal"
}

# step NAME: from here on the change is at this step.
step() { record "step=$1"; }

# files_may_have_changed: whether the change of the journal may have touched manifest, policy or strays, and not given them
# back. A journal without a step is of a version that opened it right before the swap.
files_may_have_changed() {
    [ -e "$STATE/journal" ] || return 1
    case $(journal step) in
        back-up | rehearse | stand-in | restored) return 1 ;;
        quarantine) strays_are_aside ;;
        *) return 0 ;;
    esac
}

# known_texts: the hashes of every text that this change has read or wants to write, on one line. Any other text in a file
# of this change is somebody else's.
known_texts() {
    {
        for known_entry in known desired placed-first; do journal "$known_entry"; done
        hash_of "$(journal backup)/kube-apiserver.yaml"
        for kind in $KINDS; do
            journal "$kind-desired"
            hash_of "$(journal backup)/audit-$kind.yaml"
        done
    } | tr '\n' ' '
}

# is_nobody_elses: whether the manifest and the files beside it are all texts of this change.
is_nobody_elses() {
    known=$(known_texts)
    [ -f "$MANIFEST" ] && is_expected "$MANIFEST" "$known" || return 1
    for kind in $KINDS; do
        is_expected "$(journal "$kind")" "$known" || return 1
    done
}

close_journal() { rm -f "$STATE/journal" && sync "$STATE" && withdraw_recovery; }
