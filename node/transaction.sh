# shellcheck shell=sh disable=SC2034,SC2154
# The change of a node: policy and manifest both new and running, or both as they were. It runs in the worker.
#
# Every step is written to the journal before it is done; at whatever step the worker, its guard or the machine ends,
# the journal says what to do. Up to quarantine nothing has been changed; from there on a failure puts everything back.

STEPS="back-up rehearse stand-in quarantine swap old-gone new-running healthy policies marker hand-back own finish"
# How long an API server may take to end with the requests that it still has.
DRAIN_SECONDS=45

# transaction PURPOSE ARGUMENTS...: PURPOSE is enable or remove; the arguments are those of apply-manifest or
# restore-manifest, and the files are staged.
transaction() {
    purpose=$1
    shift
    policy=$(argument policy "$@") || exit 1
    asked_for=$(for kind in $KINDS; do
        say "$kind=$(given "$kind" "$@")"
        say "$kind-desired=$(given "$kind-desired" "$@")"
    done)
    arguments=$(argument arguments "$@") || exit 1
    endpoint=$(argument endpoint "$@") || exit 1
    timeout=$(argument timeout "$@") || exit 1
    log=$(given log "$@")
    marker=$(given marker "$@")
    mode=$(given mode "$@") || mode=drain
    address=$(given address "$@")
    rehearsal=$(given rehearsal "$@") || rehearsal=no
    canary=$(given canary "$@")
    canary_sha256=$(given canary-sha256 "$@")
    canary_log=$(given canary-log "$@")
    placed_first=$(given placed-first "$@")
    restart=$(given restart "$@") || restart=no
    reloads=$(given reloads "$@")
    strays=$(given quarantine "$@") || strays=none
    runs_as=$(given runs-as "$@") || runs_as=0:0
    desired=$(hash_of "$STATE/staged/kube-apiserver.yaml")
    read_texts="$desired $(given written "$@") $(read_text live "$@")"
    for kind in $KINDS; do read_texts="$read_texts $(given "$kind-desired" "$@") $(read_text "$kind-live" "$@")"; done
    # A change that was cut off is brought to an end in any case: there may be no API server to lose.
    { with_paths preconditions "$(given images "$@")" "$log" && log_is_writable "$log"; } ||
        files_may_have_changed || fail "$problem; nothing was changed"
    files_may_have_changed || [ -n "${reloads:-}" ] || await_cluster "$timeout" "$@" || fail "$problem; $(turns "$@")"
    begin "$(given arguments-before "$@" || running_arguments)"
    install_recovery
    keep_guard
    start_prober "https://$(in_brackets "${address:-127.0.0.1}"):${endpoint##*:}"
    reached=
    for name in $STEPS; do
        if [ "$name" = "$first_step" ]; then reached=1; fi
        if [ -z "$reached" ]; then continue; fi
        take_step "$name" "$@" || give_up "$@"
    done
}

# read_text NAME ARGUMENTS...: the hash in the argument NAME=SHA256@CTIME; nothing without it.
read_text() {
    seen=$(given "$@")
    say "${seen%@*}"
}

# with_asked COMMAND...: COMMAND with what the operator asked for of the files, KIND=PATH and KIND-desired=SHA256, as arguments.
with_asked() {
    while IFS= read -r asked; do set -- "$@" "$asked"; done <<ASKED
$asked_for
ASKED
    "$@"
}

# with_paths COMMAND...: COMMAND with the paths of these files; an empty one for each that the change does not have.
with_paths() {
    for kind in $KINDS; do set -- "$@" "$(say "$asked_for" | sed -n "s/^$kind=//p")"; done
    "$@"
}

# take_step NAME ARGUMENTS...: records the step and does it. Once files have changed, a journal that cannot be written, as on a
# full disk, still says enough: an earlier step.
take_step() {
    case $1 in quarantine | swap) check_others || return 1 ;; esac
    problem="cannot write $STATE/journal"
    # A change that goes on after a cut has files to put back, and an earlier step would say that it has none.
    { [ "$1" = quarantine ] && files_may_have_changed; } || step "$1" || files_may_have_changed || return 1
    keep_guard
    name=$1
    shift
    case $name in
        back-up)
            note_policy found "$(manifest_flag audit-policy-file)"
            back_up && keep_before "$@" && clear_left_over && record "backup=$backup" && keep_kubeadm_config
            ;;
        rehearse) let_it_read && rehearse ;;
        stand-in) stand_in ;;
        quarantine) for_strays set_aside "$strays" ;;
        swap) put_in_place ;;
        old-gone) await_old_gone ;;
        new-running) await_new_running ;;
        healthy) wait_for_health "$endpoint" "$arguments" "$timeout" && say "health: /livez and /readyz say ok three times" ;;
        policies) await_policies ;;
        marker) prove_recording ;;
        hand-back) hand_back ;;
        own) check_result && take_or_leave "$@" ;;
        finish) finish ;;
    esac
}

# begin ARGUMENTS-BEFORE: opens the journal, or goes on with that of a change that was cut off; sets $first_step,
# $before, the processes that must go, and $resumed_at.
begin() {
    boot=$(cat /proc/sys/kernel/random/boot_id)
    before=$(apiserver_pids | tr '\n' ' ')
    report_guard
    begins_anew=
    if [ -e "$STATE/journal" ]; then
        if files_may_have_changed && is_nobody_elses; then
            resume
            return
        fi
        if files_may_have_changed || [ -n "$(journal edited)" ]; then
            say "resume: an earlier change of this node was cut off, and somebody else has written since; theirs is kept"
            begins_anew=yes
        else
            say "resume: an earlier change of this node was cut off; the files are as they were before it"
        fi
        dismiss_canary 0 || fail "$problem; nothing was changed"
        clear_slots
        archive_strays || fail "$problem; nothing was changed"
        rm -f "$STATE/journal"
    fi
    first_step=${STEPS%% *} resumed_at=
    with_asked record step="$first_step" worker="$worker" boot="$boot" processes="$before" arguments="$arguments" \
        arguments-before="$1" desired="$desired" endpoint="$endpoint" timeout="$timeout" reloads="${reloads:-}" ||
        fail "cannot write $STATE/journal; nothing was changed"
}

# resume: the backup of the earlier change, and not the half-changed files of now, is the last state known to work. Where
# its files are those of this change too, the processes of its beginning are the ones that must go.
resume() {
    backup=$(journal backup) resumed_at=$(journal step) first_step=quarantine
    [ -f "$backup/kube-apiserver.yaml" ] || fail "$STATE/journal names the backup $backup, which is not there"
    say "resume: an earlier change of this node was cut off; its backup $backup stays the one to fall back to"
    if is_redirected && ! healthy "https://127.0.0.1:$(journal canary-port)"; then withdraw_redirect; fi
    if [ "$resumed_at" != put-back ] && is_in_place; then
        if [ "$(journal boot)" = "$boot" ]; then before=$(journal processes); else before=; fi
    else
        resumed_at=put-back
    fi
    # The texts of the earlier change are still this stack's, wherever they are found.
    with_asked record known="$(known_texts)" worker="$worker" boot="$boot" processes="$before" arguments="$arguments" \
        desired="$desired" endpoint="$endpoint" timeout="$timeout" reloads="${reloads:-}" ||
        fail "cannot write $STATE/journal; the node stays as it is"
}

# is_in_place: whether the files are the ones of this change already.
is_in_place() { [ "$(hash_of "$MANIFEST")" = "$desired" ] && with_asked given_are_live; }

# check_others: whether the files are still as this run has read them, right before the first of them changes.
check_others() {
    known=$(known_texts)
    for kind in manifest $KINDS; do
        if [ "$kind" = manifest ]; then file=$MANIFEST; else file=$(journal "$kind"); fi
        if ! is_expected "$file" "$known"; then
            changed_by_others "" "$file"
            return 1
        fi
    done
    if is_absent "$MANIFEST"; then
        changed_by_others "" "$MANIFEST"
        return 1
    fi
}

# check_result: whether the files are those of this change, and nobody wrote into the ones that they displaced.
check_result() {
    check_file "$MANIFEST" "$desired" || return 1
    for kind in $KINDS; do
        check_file "$(journal "$kind")" "$(journal "$kind-desired")" || return 1
    done
}

# check_file TARGET SHA256: true where this change has no such file.
check_file() {
    if [ -n "$2" ] && [ "$(hash_of "$1")" != "$2" ]; then
        changed_by_others "" "$1"
        return 1
    fi
    slot=$(slot_of "$1")
    if [ -z "$1" ] || [ ! -f "$slot" ] || [ -L "$slot" ] || is_among "$(hash_of "$slot")" "$(known_texts)"; then return 0; fi
    keep_copy_of_others "$slot" "$1"
    problem="somebody else wrote into $1 while it was being replaced"
    return 1
}

# manifest_is_ours: status 1, with the reason in $problem, once somebody else has written the manifest of the change that is
# under way: there is no use in waiting for what it should have led to.
manifest_is_ours() {
    if [ -n "${left_alone:-}" ] || [ ! -e "$STATE/journal" ]; then return 0; fi
    manifest_now=$(hash_of "$MANIFEST")
    if [ "$manifest_now" = "$(journal desired)" ]; then return 0; fi
    if [ "$manifest_now" != absent ] && is_among "$manifest_now" "$(known_texts)"; then return 0; fi
    changed_by_others "" "$MANIFEST"
    return 1
}

# put_in_place: the manifest and the files beside it, one exchange each. Where the manifest stays the same kubelet restarts nothing, and the
# process that has the old policy must end. A quick restart puts another manifest in place first, see end_old_at_once.
# Where nothing but a stray goes, kubelet ends what it ran from it within two seconds, and else nothing has to end.
put_in_place() {
    known=$(known_texts) ends=
    if only_strays_go; then
        await_closed "${endpoint##*:}"
        if is_listened_on "${endpoint##*:}"; then before=; fi
        record "processes=$before" && say "swap: nothing else is to change"
        return
    fi
    if [ -n "${reloads:-}" ]; then
        before=
        record processes= || return 1
    elif [ "$(hash_of "$MANIFEST")" = "$desired" ]; then
        case $resumed_at in
            "" | quarantine | put-back) ends=TERM ;;
            swap) if [ "$(hash_of "$backup/kube-apiserver.yaml")" = "$desired" ]; then ends=TERM; fi ;;
        esac
    fi
    note_logs kube-apiserver || return 1
    staged_is_whole kube-apiserver.yaml "$desired" || return 1
    for kind in $KINDS; do staged_is_whole "audit-$kind.yaml" "$(journal "$kind-desired")" || return 1; done
    note_refusals
    for kind in $KINDS; do put_file "$kind" || return 1; done
    if [ -n "${reloads:-}" ]; then
        say "swap: done; the API server runs on, and reads the admission policies again by itself"
        return
    fi
    if [ -n "$ends" ]; then
        say "restart: the manifest is the same, the process is ended for kubelet to start it anew"
        if [ "$mode" = quick ]; then ends=KILL; fi
        end_processes "$ends"
    elif [ "$mode" = quick ] && [ -n "$placed_first" ] && [ "$(hash_of "$MANIFEST")" != "$desired" ]; then
        place_first || return 1
    else
        place "$STATE/staged/kube-apiserver.yaml" "$MANIFEST" like "$known" || return 1
    fi
    say "swap: done; kubelet ends the old API server and starts the new one"
}

# only_strays_go: whether every file is as it shall be, and so is what runs from them.
only_strays_go() {
    case $resumed_at in "" | quarantine) ;; *) return 1 ;; esac
    strays_are_aside && is_in_place && [ "$restart" = no ]
}

# staged_is_whole NAME SHA256: whether the staged file is one of this change; true where it has no such file.
staged_is_whole() {
    problem="$STATE/staged/$1 is not what was sent"
    [ -z "$2" ] || is_among "$(hash_of "$STATE/staged/$1")" "$known"
}

# put_file KIND: the staged file goes where the journal has it, where this change has such a file.
put_file() {
    wants=$(journal "$1-desired") target=$(journal "$1")
    [ -n "$wants" ] || return 0
    if [ "$1" = static-policies ]; then make_folder "$target" || return 1; fi
    # What is there already came in an earlier run; what it displaced waits in the slot. The user may be another one since.
    if [ "$(hash_of "$target")" = "$wants" ]; then
        chown "$runs_as" "$target"
    else
        place "$STATE/staged/audit-$1.yaml" "$target" 600 "$known"
    fi
}

# end_processes SIGNAL: to the API servers that must go.
end_processes() {
    for pid in $(apiserver_pids); do
        case " $before " in *" $pid "*) kill "-$1" "$pid" ;; esac
    done
}

await_old_gone() {
    if [ -n "${placed:-}" ]; then end_old_at_once || return 1; fi
    problem="the old API server has not ended"
    wait_until "$timeout" old_are_gone "$before" && say "process: the old one is gone"
}

await_new_running() {
    problem="no API server with the manifest's arguments"
    wait_until "$timeout" new_runs "$before" "$arguments" && say "process: $new runs with exactly the manifest's arguments"
}

# take_or_leave ARGUMENTS...: from now on this node's audit logging is the stack's, or nobody's.
take_or_leave() {
    problem="$STATE/owner cannot be written"
    if [ "$purpose" = enable ]; then
        own "$@" && record_change "$@"
    else
        give_up_ownership || return 1
        note_policy removed "$(manifest_flag audit-policy-file)"
    fi
}

finish() {
    [ -z "${stuck:-}" ] || fail "the new manifest runs and is healthy, but $stuck. Run again"
    archive_strays || fail "the new manifest runs and is healthy, but $problem. Run again"
    problem="$STATE/journal cannot be removed"
    rm -f "$STATE/kube-apiserver.logs" "$STATE/kubeadm-config"
    clear_slots
    wanted_then=$(for kind in policy admission static-policies; do say "$(journal "$kind-desired")=$(journal "$kind")"; done)
    close_journal || return 1
    forget_credentials
    for kind in $KINDS; do settle_moved "$kind"; done
    stop_prober
    await_ready_node
    say_cut_off_writes "$log"
    while IFS='=' read -r wants file; do
        if [ -n "$wants" ] && [ "$(hash_of "$file")" != "$wants" ]; then
            changed_by_others "" "$file"
            fail "the change was complete, and at its end $problem; run again to see the present text"
        fi
    done <<WANTED
$desired=$MANIFEST
$wanted_then
WANTED
    if [ "$purpose" = enable ]; then
        say "manifest: running and healthy; backup $backup"
    else
        say "manifest: as it was before audit logging; backup $backup"
    fi
    say_result
}

# give_up ARGUMENTS...: the files as they were, the old API server again, and an error that holds the API server's own words.
give_up() {
    why=$problem stuck=
    stop_prober
    if ! files_may_have_changed; then
        words=$(last_words "$starting")
        dismiss_canary 0 || stuck=$problem
        clear_slots
        end_change
        fail "$why; nothing was changed${stuck:+, but $stuck. Run again}${words:+. Its last words:
$words}"
    fi
    say "failed: $why; the earlier manifest and policy are put back"
    words=$(last_words kube-apiserver)
    go_back || fail "$why. And the way back failed: $problem"
    await_ready_node
    if [ -n "$left_alone" ]; then
        # Theirs may have grown out of this change: what removal gives back stays on record.
        if [ "$purpose" = enable ]; then own "$@" && record_change "$@"; fi
        end_change
        fail "$why. What this change wrote is put back except for${left_alone}${stuck:+, and $stuck}; run again to see the present text." \
            "The API server's last words:
${words:-(none: it wrote no log)}"
    fi
    end_change
    fail "$why. The earlier manifest runs again${edited:+, with what somebody else wrote into it meanwhile}${returned:+; \
$returned in $MANIFESTS is back too}${stuck:+, but $stuck. Run again}. The API server's last words:
${words:-(none: it wrote no log)}"
}

# end_change: the files are back. A redirect that stays leaves the journal, by which the next run tries again.
end_change() { [ -n "$stuck" ] || close_journal; }

# report_guard: what the guard of an earlier change did, told once.
report_guard() {
    if [ -s "$STATE/guard-messages" ]; then sed 's/^/guard: /' "$STATE/guard-messages"; fi
    rm -f "$STATE/guard-messages"
}
