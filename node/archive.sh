# shellcheck shell=sh disable=SC2034,SC2154
# Copies of manifest and policy: one of each for every change, and those that removal gives back.

# back_up POLICY: the manifest and the policy as they are now, in a folder of the archive; sets $backup.
back_up() {
    backup=$ARCHIVE/$(date -u +%Y%m%dT%H%M%SZ)
    while [ -e "$backup" ]; do backup=$backup.1; done
    if ! { mkdir -p "$backup" && chmod 700 "$ARCHIVE" "$backup" && cp -p "$MANIFEST" "$backup/kube-apiserver.yaml" &&
        { [ ! -f "$1" ] || cp -p "$1" "$backup/audit-policy.yaml"; } && sync "$backup"/* "$backup"; }; then
        problem="cannot back up $MANIFEST and $1 to $ARCHIVE"
        return 1
    fi
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

# keep_before MANIFEST POLICY: what is there before the stack's first change, for removal to give back.
keep_before() {
    if [ -e "$STATE/owner" ]; then return; fi
    problem="cannot write $STATE/before"
    rm -f "$STATE/before/kube-apiserver.yaml" "$STATE/before/audit-policy.yaml"
    mkdir -p "$STATE/before" && put "$1" "$STATE/before/kube-apiserver.yaml" 600 &&
        { [ ! -f "$2" ] || put "$2" "$STATE/before/audit-policy.yaml" 600; }
}

# restore_files BACKUP POLICY: manifest and policy as they are in BACKUP.
restore_files() {
    cp "$1/kube-apiserver.yaml" "$STATE/staged/put-back.yaml" || { problem="cannot read $1"; return 1; }
    if [ -f "$1/audit-policy.yaml" ]; then put "$1/audit-policy.yaml" "$2" 600; fi
    if [ "$(hash_of "$MANIFEST")" != "$(hash_of "$1/kube-apiserver.yaml")" ]; then
        swap "$STATE/staged/put-back.yaml" || { problem="cannot put $1/kube-apiserver.yaml back"; return 1; }
    fi
    if [ ! -f "$1/audit-policy.yaml" ]; then rm -f "$2"; fi
}

# swap FILE: FILE becomes the manifest by one rename from outside the manifests folder.
swap() {
    chown --reference="$MANIFEST" "$1" && chmod --reference="$MANIFEST" "$1" && sync "$1" && mv -f "$1" "$MANIFEST" &&
        sync "$MANIFESTS"
}
