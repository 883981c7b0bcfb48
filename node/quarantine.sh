# shellcheck shell=sh disable=SC2034,SC2154
# Stray manifests: other files in the manifests folder that define kube-apiserver, which kubelet may run at any time. A step of
# the change moves them aside, to $STATE/strays. Where the change fails they come back; where it has ended well the archive
# gets them. What lies aside is the record: a later run and the guard need no other.

# for_strays COMMAND NAME@CTIME/NAME@CTIME...|none: COMMAND NAME CTIME for each that is still there; status 1 from the first
# that fails.
for_strays() {
    remaining=$2
    [ "$remaining" != none ] || return 0
    while [ -n "$remaining" ]; do
        stray=${remaining%%/*}
        case $remaining in */*) remaining=${remaining#*/} ;; *) remaining= ;; esac
        [ ! -f "$MANIFESTS/${stray%@*}" ] || "$1" "${stray%@*}" "${stray##*@}" || return 1
    done
}

# stray_is_as_read NAME CTIME: the reason in $problem when it is not.
stray_is_as_read() {
    problem="$MANIFESTS/$1 changed after it was read for this plan"
    [ "$(stat -L -c %Z "$MANIFESTS/$1")" = "$2" ]
}

# set_aside NAME CTIME: out of kubelet's way, by a rename. A text that came meanwhile is somebody else's, and the change fails.
set_aside() {
    stray_is_as_read "$1" "$2" || return 1
    problem="cannot move $MANIFESTS/$1 to $STATE/strays"
    seen=$(hash_of "$MANIFESTS/$1")
    # One of the same name that an earlier run has moved, and that came anew.
    if holds_stray "$STATE/strays/$1"; then archive_stray "$STATE/strays/$1" || return 1; fi
    mkdir -p "$STATE/strays" && mv -f "$MANIFESTS/$1" "$STATE/strays/$1" && sync "$STATE/strays" "$MANIFESTS" || return 1
    problem="$MANIFESTS/$1 changed after it was read for this plan"
    [ "$(displaced_hash "$STATE/strays/$1" "$MANIFESTS/$1")" = "$seen" ] || return 1
    say "quarantine: $1 is out of kubelet's way"
}

# holds_stray FILE: whether there is one.
holds_stray() { [ -e "$1" ] || [ -L "$1" ]; }

# strays_are_aside: whether this change, or the one that was cut off, has moved any.
strays_are_aside() {
    for stray in "$STATE/strays"/*; do
        if holds_stray "$stray"; then return 0; fi
    done
    return 1
}

# return_strays: those that lie aside come back to where they were, and $returned names them. A file that has come there
# meanwhile stays, and the archive gets ours.
return_strays() {
    returned=
    for stray in "$STATE/strays"/*; do
        holds_stray "$stray" || continue
        name=${stray##*/}
        problem="cannot put $MANIFESTS/$name back"
        # A link never takes the place of another file.
        if ln -T "$stray" "$MANIFESTS/$name" 2>/dev/null; then
            rm -f "$stray"
            sync "$MANIFESTS"
            returned="${returned:+$returned, }$name"
            say "put back: $MANIFESTS/$name"
        elif is_absent "$MANIFESTS/$name"; then
            return 1
        else
            archive_stray "$stray" || return 1
        fi
    done
    forget_strays
}

# archive_strays: the change has ended well; the reason in $problem where one stays aside.
archive_strays() {
    for stray in "$STATE/strays"/*; do
        if holds_stray "$stray"; then archive_stray "$stray" || return 1; fi
    done
    forget_strays
}

archive_stray() {
    kept=$ARCHIVE/stray-manifests/$(date -u +%Y%m%dT%H%M%SZ)
    while holds_stray "$kept/${1##*/}"; do kept=$kept.1; done
    problem="cannot move $1 to $ARCHIVE/stray-manifests"
    mkdir -p "$kept" && chmod 700 "$ARCHIVE" "$ARCHIVE/stray-manifests" "$kept" && mv "$1" "$kept/" && sync "$kept" || return 1
    say "quarantine: ${1##*/} is now $kept/${1##*/}"
}

forget_strays() { rmdir "$STATE/strays" 2>/dev/null || :; }
