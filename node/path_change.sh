# shellcheck shell=sh disable=SC2154
# A policy or webhook's kubeconfig for which the settings name another path than before. The new path's own file is kept
# for removal to give back; the earlier path gets back what it had, when the change cannot be put back any more.

# path_of KIND: where the stack's last change put that file; nothing before the first. The manifest names policy and webhook too,
# for where the record of the paths is lost.
path_of() {
    if [ ! -e "$STATE/owner" ]; then
        return
    elif is_whole "$STATE/paths" && grep -q "^$1=" "$STATE/paths"; then
        sed -n "s/^$1=//p" "$STATE/paths"
    else
        case $1 in
            policy) manifest_flag audit-policy-file ;;
            webhook) manifest_flag audit-webhook-config-file ;;
        esac
    fi
}

# keep_moved KIND PATH: before the change. An empty copy tells that nothing is at PATH.
keep_moved() {
    settle_moved "$1" || return 1
    moved=$STATE/before/moved-audit-$1.yaml
    rm -f "$STATE/moved-$1" "$moved"
    left=$(path_of "$1")
    if [ -z "$2" ] || [ -z "$left" ] || [ "$left" = "$2" ]; then return 0; fi
    if [ -f "$2" ]; then put "$2" "$moved" 600; else : >"$moved"; fi &&
        printf '%s\n' "$left" "$2" "$(cat "$STATE/written/$1" 2>/dev/null)" | keep_record "$STATE/moved-$1"
}

# settle_moved KIND: after it. The next change does what this one does not come to.
settle_moved() {
    [ -e "$STATE/moved-$1" ] || return 0
    { IFS= read -r left && IFS= read -r now && read -r last; } <"$STATE/moved-$1"
    [ "$(path_of "$1")" = "$now" ] || return 0
    earlier=$STATE/before/audit-$1.yaml moved=$STATE/before/moved-audit-$1.yaml
    there=$(hash_of "$left") was=$(hash_of "$earlier")
    if [ "$there" = "$last" ]; then
        if [ "$was" = absent ]; then withdraw "$left" "$last" || return 1; else place "$earlier" "$left" 600 "$last $was" || return 1; fi
        there=$was
    fi
    # A run that was cut off may have come this far, and what it displaced waits there.
    clear_slot "$left" "$last $was"
    if [ "$there" != "$was" ]; then
        say "$1: $now is in use now; $left is not as this stack wrote it, and stays"
    elif [ "$was" = absent ]; then
        say "$1: $now is in use now; $left removed"
    else
        say "$1: $now is in use now; $left is as it was before audit logging"
    fi
    if [ -s "$moved" ]; then mv "$moved" "$earlier"; elif [ -e "$moved" ]; then rm -f "$earlier" "$moved"; fi
    sync "$STATE/before"
    rm -f "$STATE/moved-$1"
}
