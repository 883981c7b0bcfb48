# shellcheck shell=sh disable=SC2034,SC2154
# Who on the node reaches the API server over loopback, where no redirect leads: such as a load balancer that passes others on.

# loopback_clients PORT: their names, one a line: static pods and programs that are told 127.0.0.1 or localhost at PORT, and
# whoever is connected there now. Those that look only now and then can be seen by their configuration alone.
loopback_clients() {
    loopback_address="(127\\.[0-9.]+|localhost|\\[::1\\]):$1([^0-9]|\$)"
    {
        told_by_manifest
        told_by_arguments
        told_by_configuration
        connected_on_loopback "$1"
    } 2>/dev/null | sort -u
}

# told_by_manifest: also a pod for which the name of the API is 127.0.0.1, as kube-vip's.
told_by_manifest() {
    for entry in "$MANIFESTS"/*; do
        case $entry in "$MANIFEST" | "$(canary_file)") continue ;; esac
        # Whoever reads a pipe waits for somebody to write.
        [ -f "$entry" ] || continue
        if grep -qE "$loopback_address" "$entry" ||
            { grep -q '^ *hostAliases:' "$entry" && grep -qE "^[- ]*ip: *[\"']?127\\." "$entry"; }; then
            entry=${entry##*/}
            say "${entry%.*}"
        fi
    done
}

# told_by_arguments: neither kubectl nor a shell, which are at work for somebody for a moment.
told_by_arguments() {
    grep -laE "$loopback_address" /proc/[0-9]*/cmdline | while IFS= read -r found; do
        read -r name <"${found%cmdline}comm" || continue
        case $name in kube-apiserver | kubectl | curl | *sh | sudo | busybox | setsid | systemd-run | timeout | grep) continue ;; esac
        # A shell that became another program between the two looks has other arguments by now.
        grep -qsaE "$loopback_address" "$found" || continue
        # shellcheck disable=SC3013 # -ef is in dash, bash and busybox
        if [ "${found%cmdline}ns/net" -ef /proc/self/ns/net ]; then say "$name"; fi
    done
}

# told_by_configuration: the files that are named to haproxy, nginx or envoy, in their own file systems.
told_by_configuration() {
    for name in haproxy nginx envoy; do
        for pid in $(processes_named "$name"); do
            for file in $(tr '\0' '\n' <"/proc/$pid/cmdline" | grep '^/.*[./]') /etc/"$name"; do
                if [ ! -p "/proc/$pid/root$file" ] && grep -rqE "$loopback_address" "/proc/$pid/root$file"; then say "$name"; fi
            done
        done
    done
}

# connected_on_loopback PORT: the API server's own connections to itself do not count.
connected_on_loopback() {
    own=$(all_apiserver_pids)
    # shellcheck disable=SC2046  # one a word
    set -- $(awk -v port="$(printf '%04X' "$1")" '
        BEGIN { to_loopback = "^(......7F|00000000000000000000000001000000|0000000000000000FFFF0000......7F):" port "$" }
        $4 == "01" && $3 ~ to_loopback { print $10 }
    ' /proc/net/tcp /proc/net/tcp6)
    [ $# -gt 0 ] || return 0
    for pid in $own; do
        owned=$(ls -l "/proc/$pid/fd")
        for inode in "$@"; do
            shift
            case $owned in *"socket:[$inode]"*) ;; *) set -- "$@" "$inode" ;; esac
        done
    done
    [ $# -gt 0 ] || return 0
    # shellcheck disable=SC2012  # the names of descriptors are numbers
    ls -l /proc/[0-9]*/fd | awk -v inodes="$*" '
        BEGIN { count = split(inodes, list, " "); for (each = 1; each <= count; each++) wanted["socket:[" list[each] "]"] = 1 }
        /^\/proc\// { split($0, parts, "/"); pid = parts[3] }
        $NF in wanted { print pid }
    ' | while IFS= read -r pid; do
        if read -r name <"/proc/$pid/comm" && [ "$name" != kubectl ] && [ "$name" != curl ]; then say "$name"; fi
    done
}
