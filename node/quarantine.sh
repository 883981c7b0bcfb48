# shellcheck shell=sh
# Stray manifests: other files in the manifests folder that define kube-apiserver, which kubelet may run at any time.

# quarantine_strays NAME@CTIME/NAME@CTIME...|none: moves them to the archive, each only as it was when it was read.
quarantine_strays() {
    settled=yes remaining=$1
    [ "$remaining" != none ] || return 0
    while [ -n "$remaining" ]; do
        stray=${remaining%%/*}
        case $remaining in */*) remaining=${remaining#*/} ;; *) remaining= ;; esac
        name=${stray%@*}
        [ -f "$MANIFESTS/$name" ] || continue
        [ "$(stat -L -c %Z "$MANIFESTS/$name")" = "${stray##*@}" ] ||
            fail "$MANIFESTS/$name changed after it was read for this plan; run again"
        folder=$ARCHIVE/stray-manifests
        target=$folder/$(date -u +%Y%m%dT%H%M%SZ)-$name
        if ! { mkdir -p "$folder" && chmod 700 "$ARCHIVE" "$folder" && mv "$MANIFESTS/$name" "$target"; }; then
            fail "cannot move $MANIFESTS/$name to $folder"
        fi
        settled=no
        say "quarantine: $name is now $target"
    done
}

# settle ENDPOINT TIMEOUT: waits, after a file was moved, until the API server answers for good. kubelet acts on a file that
# is gone within seconds, and an API server that it ends says at once that it is not ready.
settle() {
    [ "$settled" = no ] || return 0
    problem=
    sleep 5
    wait_for_health "$1" "" "$2" || fail "after the stray manifest was moved out: $problem"
}
