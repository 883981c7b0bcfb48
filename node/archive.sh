# shellcheck shell=sh disable=SC2034,SC2154
# Copies of the manifest and the files that it names: one of each for every change, and those that removal gives back.

# back_up POLICY WEBHOOK: the manifest, the policy and the webhook's kubeconfig as they are now, in a folder of the archive;
# sets $backup.
back_up() {
    backup=$ARCHIVE/$(date -u +%Y%m%dT%H%M%SZ)
    while [ -e "$backup" ]; do backup=$backup.1; done
    if ! { mkdir -p "$backup" && chmod 700 "$ARCHIVE" "$backup" && cp -p "$MANIFEST" "$backup/kube-apiserver.yaml" &&
        { [ ! -f "$1" ] || cp -p "$1" "$backup/audit-policy.yaml"; } &&
        { [ ! -f "$2" ] || cp -p "$2" "$backup/audit-webhook.yaml"; } && sync "$backup"/* "$backup"; }; then
        problem="cannot back up $MANIFEST and the files that it names to $ARCHIVE"
        return 1
    fi
    keep_way_back "$backup" || return 1
    if [ ! -e "$STATE/owner" ]; then : >"$backup/before-audit-logging"; fi
    prune_archive
    say "backup: $backup"
}

# Keeps the newest backups, and every one of a time before audit logging.
prune_archive() {
    find "$ARCHIVE" -mindepth 1 -maxdepth 1 -type d | sort -r | tail -n "+$((ARCHIVE_KEEPS + 1))" | while IFS= read -r old; do
        [ -e "$old/before-audit-logging" ] || rm -rf "$old"
    done
}

# keep_before MANIFEST POLICY WEBHOOK: what is there before the stack's first change, for removal to give back. A webhook that
# a later change brings is kept then, and none is when the stack wrote it.
keep_before() {
    problem="cannot write $STATE/before"
    mkdir -p "$STATE/before" || return 1
    if [ ! -e "$STATE/owner" ]; then
        rm -f "$STATE/before/kube-apiserver.yaml" "$STATE/before/audit-policy.yaml"
        put "$1" "$STATE/before/kube-apiserver.yaml" 600 || return 1
        [ ! -f "$2" ] || put "$2" "$STATE/before/audit-policy.yaml" 600 || return 1
    else
        keep_moved policy audit-policy.yaml "$2" && keep_moved webhook audit-webhook.yaml "$3" || return 1
        if [ -z "$3" ] || [ -n "$(path_of webhook)" ]; then return 0; fi
    fi
    rm -f "$STATE/before/audit-webhook.yaml"
    [ ! -f "$3" ] || put "$3" "$STATE/before/audit-webhook.yaml" 600
}

# keep_way_back BACKUP: copies of its files that restore_files only has to rename. A disk that fills up while the API
# server is away then does not keep the earlier one from coming back.
keep_way_back() {
    for name in kube-apiserver.yaml audit-policy.yaml audit-webhook.yaml; do
        [ ! -f "$1/$name" ] || keep_copy "$1/$name" "$STATE/staged/put-back-$name" || return 1
    done
}

# keep_copy FILE COPY: writes nothing where COPY is whole already.
keep_copy() {
    problem="cannot write $2"
    [ "$(hash_of "$1")" = "$(hash_of "$2")" ] || { cp -p "$1" "$2" && sync "$2"; }
}

# restore_files BACKUP POLICY WEBHOOK: the files as they are in BACKUP.
restore_files() {
    restore_file "$1/audit-policy.yaml" "$2" && restore_file "$1/audit-webhook.yaml" "$3" || return 1
    if [ "$(hash_of "$MANIFEST")" != "$(hash_of "$1/kube-apiserver.yaml")" ]; then
        keep_copy "$1/kube-apiserver.yaml" "$STATE/staged/put-back-kube-apiserver.yaml" || return 1
        problem="cannot put $1/kube-apiserver.yaml back"
        swap "$STATE/staged/put-back-kube-apiserver.yaml" || return 1
    fi
    if [ ! -f "$1/audit-policy.yaml" ]; then rm -f "$2"; fi
    if [ -n "$3" ] && [ ! -f "$1/audit-webhook.yaml" ]; then rm -f "$3"; fi
    rm -f "$(temporary_of "$2")" ${3:+"$(temporary_of "$3")"} || :
}

# restore_file FILE TARGET: by a rename of FILE's copy where it is on TARGET's file system; nothing where FILE is not there.
restore_file() {
    if [ ! -f "$1" ] || [ "$(hash_of "$1")" = "$(hash_of "$2")" ]; then return; fi
    copy=$STATE/staged/put-back-${1##*/}
    keep_copy "$1" "$copy" || return 1
    problem="cannot put $1 back"
    if [ "$(stat -c %d "$copy")" = "$(stat -c %d "$(dirname "$2")")" ]; then mv -f "$copy" "$2"; else put "$copy" "$2" 600; fi
}

# swap FILE: FILE becomes the manifest by one rename from outside the manifests folder.
swap() {
    chown --reference="$MANIFEST" "$1" && chmod --reference="$MANIFEST" "$1" && sync "$1" && mv -f "$1" "$MANIFEST" &&
        sync "$MANIFESTS"
}
