# shellcheck shell=sh disable=SC2034,SC2154
# Compare and swap: a file in use is exchanged with the new one, and what came out is compared with what was expected.
# Between reading and writing somebody else may have written. Their text stays in place, and a copy of each is kept.

# slot_of TARGET: where the new file waits to be exchanged with TARGET, and what came out stays until the change has ended:
# a writer that had the file open writes there. The manifest's is outside the folder that kubelet reads.
slot_of() {
    if [ "$1" = "$MANIFEST" ]; then
        say "$STATE/displaced-kube-apiserver.yaml"
    else
        say "$(temporary_of "$1")-displaced"
    fi
}

# place FILE TARGET MODE KNOWN [SLOT]: a copy of FILE becomes TARGET, if TARGET is absent or its hash is among KNOWN. MODE is
# that of the new file, which is the API server's user's, or "like" for mode and owner of the present one.
place() {
    slot=${5:-$(slot_of "$2")}
    withdraw_empty_folder "$2"
    if ! is_expected "$2" "$4"; then
        changed_by_others "$1" "$2"
        return 1
    fi
    keep_displaced "$slot" "$2" "$4"
    if ! fill_slot "$1" "$2" "$3" "$slot"; then
        rm -f "$slot.new"
        problem="cannot write $slot"
        return 1
    fi
    swap_in "$slot" "$2" "$4"
}

# fill_slot FILE TARGET MODE SLOT: by a rename, so that SLOT is whole or not there: what a power cut left of a copy would pass
# for a file that somebody edited.
fill_slot() {
    mkdir -p "$(dirname "$2")" && cp "$1" "$4.new" || return 1
    if [ "$3" = like ]; then
        make_like "$2" "$4.new" || return 1
    else
        chown "${runs_as:-0:0}" "$4.new" && chmod "$3" "$4.new" || return 1
    fi
    sync "$4.new" && mv -f "$4.new" "$4"
}

# make_like MODEL FILE: FILE gets owner and mode of MODEL.
make_like() { chown "$(stat -L -c %u:%g "$1")" "$2" && chmod "$(stat -L -c %a "$1")" "$2"; }

# clear_slot TARGET KNOWN [SLOT]: nothing waits there any more. What somebody wrote into a displaced file is kept.
clear_slot() {
    slot=${3:-$(slot_of "$1")}
    keep_displaced "$slot" "$1" "$2"
    rm -f "$slot" "$slot.new" "$(temporary_of "$1")"
    sync "$(dirname "$slot")"
}

# swap_in SLOT TARGET KNOWN: SLOT becomes TARGET, and what was there comes to SLOT. Where that is nobody's that is KNOWN,
# everything goes back to where it was; the status is 1 and $problem says why.
swap_in() {
    brought=$(hash_of "$1")
    if is_absent "$2"; then
        # A link never takes the place of a file that has come meanwhile.
        if ln -T "$1" "$2" 2>/dev/null || { withdraw_empty_folder "$2" && ln -T "$1" "$2" 2>/dev/null; }; then
            rm -f "$1"
            sync "$(dirname "$2")"
            return
        fi
        changed_by_others "$1" "$2"
        return 1
    fi
    if ! exchange "$2" "$1" && ! exchange_by_links "$2" "$1" "$3"; then
        if is_expected "$2" "$3"; then problem="$2 cannot be exchanged with the new file"; else changed_by_others "$1" "$2"; fi
        return 1
    fi
    sync "$(dirname "$2")" "$(dirname "$1")"
    if is_among "$(displaced_hash "$1" "$2")" "$3"; then return; fi
    give_way "$1" "$2"
    if [ "$(hash_of "$1")" = "$brought" ]; then changed_by_others "$1" "$2"; else changed_by_others "" "$2"; fi
    return 1
}

# exchange LIVE OTHER: each file gets the other's name in one step (renameat2 with RENAME_EXCHANGE, Linux 3.15). In this
# order a watcher of LIVE's folder, as kubelet is, sees a file go and one come; in the other it would see it go last.
exchange() {
    if mv --help 2>/dev/null | grep -q -e --exchange && mv --exchange --no-target-directory "$1" "$2" 2>/dev/null; then return; fi
    if command -v exch >/dev/null && exch "$1" "$2" 2>/dev/null; then return; fi
    case $(uname -m) in
        x86_64) number=316 ;;
        aarch64 | riscv64 | loongarch64) number=276 ;;
        ppc64*) number=357 ;;
        s390x) number=347 ;;
        arm*) number=382 ;;
        *) number= ;;
    esac
    if [ -n "$number" ] && command -v perl >/dev/null &&
        perl -e 'exit(syscall(shift() + 0, -100, $ARGV[0], -100, $ARGV[1], 2) ? 1 : 0)' "$number" "$1" "$2" 2>/dev/null; then
        return
    fi
    command -v python3 >/dev/null && python3 -c 'import ctypes, os, sys
one, other = map(os.fsencode, sys.argv[1:])
sys.exit(ctypes.CDLL(None).renameat2(-100, one, -100, other, 2) != 0)' "$1" "$2" 2>/dev/null
}

# exchange_by_links LIVE OTHER KNOWN: the same result on a node without any tool for it: LIVE is linked aside and compared, and
# OTHER renamed over it. What somebody renames to LIVE right between these two commands would be lost.
exchange_by_links() {
    rm -f "$2.aside"
    ln -T "$1" "$2.aside" 2>/dev/null || return 1
    if is_expected "$2.aside" "$3" && mv -f "$2" "$1"; then
        mv -f "$2.aside" "$2"
    else
        rm -f "$2.aside"
        return 1
    fi
}

# give_way SLOT TARGET: TARGET becomes again what came out of it. Who writes once more meanwhile has the last word.
give_way() {
    tries=6 comes_out=$brought
    while [ "$tries" -gt 0 ]; do
        goes_in=$(hash_of "$1")
        exchange "$2" "$1" || break
        keep_copy_of_others "$2" "$2"
        if [ "$(hash_of "$1")" = "$comes_out" ]; then break; fi
        tries=$((tries - 1)) comes_out=$goes_in
    done
    sync "$(dirname "$2")" "$(dirname "$1")"
}

# withdraw TARGET KNOWN: TARGET goes, if its hash is among KNOWN; else it stays, with the reason in $problem.
withdraw() {
    withdraw_empty_folder "$1"
    if is_absent "$1"; then return 0; fi
    slot=$(slot_of "$1")
    keep_displaced "$slot" "$1" "$2"
    if is_expected "$1" "$2" && mv -f "$1" "$slot"; then
        sync "$(dirname "$1")"
        if is_among "$(displaced_hash "$slot" "$1")" "$2"; then return 0; fi
        ln -T "$slot" "$1" 2>/dev/null || keep_copy_of_others "$slot" "$1"
        rm -f "$slot"
    fi
    changed_by_others "" "$1"
    return 1
}

# withdraw_empty_folder PATH: where a file to be mounted is missing, containerd makes a folder of its name whenever the container
# is started again (containerd, internal/cri/opts, WithMounts). It is empty, and is no file that somebody wrote.
withdraw_empty_folder() { [ ! -d "$1" ] || [ -L "$1" ] || rmdir "$1" 2>/dev/null || :; }

is_absent() { [ ! -e "$1" ] && [ ! -L "$1" ]; }

is_among() { case " $2 " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# is_expected TARGET KNOWN: whether replacing the file takes nobody's text away.
is_expected() { is_absent "$1" || is_among "$(hash_of "$1")" "$2"; }

# displaced_hash SLOT TARGET: the hash of what came out of TARGET. A relative link leads on from where it stood.
displaced_hash() {
    if [ ! -L "$1" ]; then
        hash_of "$1"
        return
    fi
    leads_to=$(readlink "$1")
    case $leads_to in /*) hash_of "$leads_to" ;; *) hash_of "$(dirname "$2")/$leads_to" ;; esac
}

# keep_displaced SLOT TARGET KNOWN: before SLOT is used again or goes. A text there that is not KNOWN was written by
# somebody who had the file open while it was replaced: a copy is kept.
keep_displaced() {
    withdraw_empty_folder "$1"
    if [ -e "$1" ] && [ ! -L "$1" ] && ! is_among "$(hash_of "$1")" "$3"; then keep_copy_of_others "$1" "$2"; fi
}

# changed_by_others OURS TARGET: says what somebody else changed and keeps a copy of each text; the reason in $problem.
changed_by_others() {
    keep_copy_of_others "$2" "$2"
    if [ -n "$1" ]; then keep_copy "$1" "$(conflicts)/wanted-$(basename "$2")"; fi
    problem="$2 was changed by somebody else while this change was made, and stays as they left it"
    if is_absent "$2"; then problem="$2 was removed by somebody else while this change was made"; fi
}

# keep_copy_of_others FILE TARGET: a copy of what they wrote as TARGET, and the difference from what was read.
keep_copy_of_others() {
    [ -f "$1" ] || return 0
    theirs=$(conflicts)/changed-by-others-$(basename "$2") count=1
    while [ -e "$theirs" ] && [ "$(hash_of "$theirs")" != "$(hash_of "$1")" ]; do
        count=$((count + 1)) theirs=$(conflicts)/changed-by-others-$count-$(basename "$2")
    done
    [ ! -e "$theirs" ] || return 0
    keep_copy "$1" "$theirs" || return 0
    say "kept: $theirs, what somebody else wrote as $2"
    written_kind=$(kind_of "$2")
    case $written_kind in
        "" | webhook) ;;
        manifest) show_difference "${backup:-}/kube-apiserver.yaml" "$theirs" ;;
        *) show_difference "${backup:-}/audit-$written_kind.yaml" "$theirs" ;;
    esac
}

# kind_of TARGET: "manifest", or which of KINDS this file is for the change that is under way; nothing where it is none.
kind_of() {
    while IFS='=' read -r kind_there path_there; do
        if [ "$path_there" = "$1" ]; then say "$kind_there"; fi
    done <<ASKED
manifest=$MANIFEST
${asked_for:-}
ASKED
}

# show_difference READ THEIRS: what they changed, without passwords in URLs. A webhook's kubeconfig is never shown.
show_difference() {
    if [ -f "$1" ] && command -v diff >/dev/null; then
        diff -u "$1" "$2" | sed -e '1,2d' -e 's#\(://[^/ :@]*:\)[^/ @]*@#\1...@#g' | head -n 60
    fi
}

# conflicts: the folder for what two wrote at the same time: the backup of this change, where there is one.
conflicts() {
    folder=${backup:-}
    [ -d "$folder" ] || folder=$ARCHIVE/conflicts
    mkdir -p "$folder" && chmod 700 "$ARCHIVE" "$folder"
    say "$folder"
}
