# shellcheck shell=sh disable=SC2034,SC2154
# A change that a power cut ended: a unit of systemd finishes it or takes it back once the machine has booted. The unit is
# there as long as the journal is. systemd reads it at the next boot, so it need not be told of it now.

UNITS=/etc/systemd/system
RECOVERY=kubernetes-audit-recovery.service

systemd_runs() { [ -d /run/systemd/system ]; }

# recovery_unit: the unit's text. The boot does not wait for it (Type=exec). Where the API server needs others that boot more
# slowly, such as the rest of etcd, it is tried again.
recovery_unit() {
    cat <<UNIT
[Unit]
Description=Finishes or takes back a change of kube-apiserver that a power cut ended
ConditionPathExists=$STATE/journal
After=kubelet.service
StartLimitIntervalSec=2h
StartLimitBurst=20

[Service]
Type=exec
ExecStart=/bin/sh $STATE/node.sh after-boot
Restart=on-failure
RestartSec=30

[Install]
WantedBy=multi-user.target
UNIT
}

# install_recovery: from now on a boot brings this node in order. Where that cannot be, the change goes on, and it is said.
install_recovery() {
    systemd_runs || return 0
    if mkdir -p "$UNITS/multi-user.target.wants" && recovery_unit | keep_record "$UNITS/$RECOVERY" &&
        chmod 644 "$UNITS/$RECOVERY" && ln -sf "../$RECOVERY" "$UNITS/multi-user.target.wants/$RECOVERY" &&
        sync "$UNITS/multi-user.target.wants"; then
        return
    fi
    withdraw_recovery
    say "recovery: after a power cut nothing on this node brings it in order by itself, because $UNITS cannot be written"
} 2>/dev/null

# withdraw_recovery: where there is no such folder, rm of busybox fails in spite of -f.
withdraw_recovery() {
    [ ! -d "$UNITS" ] || rm -f "$UNITS/multi-user.target.wants/$RECOVERY" "$UNITS/$RECOVERY" "$UNITS/$RECOVERY.new"
} 2>/dev/null

# after_boot: what the unit runs. An operator who was faster has the lock, and finishes the change.
after_boot() {
    exec 9>"$STATE/lock"
    flock 9
    if [ ! -e "$STATE/journal" ] || [ "$(journal boot)" = "$(cat /proc/sys/kernel/random/boot_id)" ]; then return 0; fi
    # No process of before the boot runs, whatever has its number now, and kubelet has read the files as they are.
    record processes= || return 1
    if [ "$(journal step)" = swap ] && desired_are_live; then step old-gone || return 1; fi
    say "the machine was started anew" >>"$STATE/guard-messages"
    bring_in_order >>"$STATE/guard-messages" 2>&1
    in_order=$?
    cat "$STATE/guard-messages"
    return "$in_order"
}
