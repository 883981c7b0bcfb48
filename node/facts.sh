# shellcheck shell=sh disable=SC2154
# Reads what the plan needs and changes nothing. One line a fact: a name, then base64 where it is a text of its own.
# Starting processes is what takes the time, on every node at every preview: files are asked about together, and what the
# shell can do by itself it does.

# recorded_facts: the facts, with the paths of the stack's last change. The caller, who may be let to do just this as root,
# chooses nothing: a path of their own would show them any file.
recorded_facts() {
    set --
    if is_whole "$STATE/paths"; then
        while IFS= read -r pair; do set -- "$@" "$pair"; done <"$STATE/paths"
    fi
    facts "$@" annotations=yes
}

# facts [policy=PATH] [log=PATH] [webhook=PATH] [static-policies=PATH] [kubeadm-config=no] [nodes=NAME,...] [flagz=yes] [annotations=yes]: the paths are those of the
# live manifest's own flags where they are not given; no flag names that of the admission policies. Of the webhook's kubeconfig only the hash is told: it holds credentials.
# Without kubeadm-config where another node of the cluster is asked for it, unless a change of this node was cut off. Along with
# it comes whether the nodes NAME are Ready, or this one where none is given. With flagz the API server is asked for its own
# account of its flags and for dead APIs, and with annotations for the admission policies of the cluster; each starts kubectl
# once or twice more.
facts() {
    [ "$(id -u)" = 0 ] || fail "reading the node needs root; got user $(id -un)"
    policy=$(given policy "$@") || policy=$(manifest_flag audit-policy-file)
    log=$(given log "$@") || log=$(manifest_flag audit-log-path)
    webhook=$(given webhook "$@") || webhook=$(manifest_flag audit-webhook-config-file)
    static_policies=$(given static-policies "$@")
    echo "format 1"
    # kubectl takes about as long as everything else. Only it writes until it is done, so that no line gets into another.
    if [ -e "$STATE/journal" ] || [ "$(given kubeadm-config "$@")" != no ]; then
        fact_kubeadm_config "$(given nodes "$@" || node_name "$(processes_named kubelet)")" &
    fi
    others=$(facts_without_kubectl)
    if [ "$(given flagz "$@")" = yes ]; then said=$(fact_flagz && fact_dead_apis); else said=; fi
    if [ "$(given annotations "$@")" = yes ]; then policies=$(fact_annotations); else policies=; fi
    taken=$(fact_static_taken)
    wait
    say "$others"
    [ -z "$taken" ] || say "$taken"
    [ -z "$said" ] || say "$said"
    [ -z "$policies" ] || say "$policies"
    echo "end"
}

# The facts of the node's own, of the files at $policy, $log and $webhook.
facts_without_kubectl() {
    say "hostname $(uname -n)"
    kubelet=$(processes_named kubelet)
    say "node-name $(node_name "$kubelet")"
    say "policy-path $(printf %s "$policy" | base64 -w 0)"
    say "log-path $(printf %s "$log" | base64 -w 0)"
    say "webhook-path $(printf %s "$webhook" | base64 -w 0)"
    say "role $(role)"
    if [ -n "$kubelet" ]; then say "kubelet running"; else say "kubelet stopped"; fi
    source=$(admission_source)
    say "admission-source-path $(printf %s "$source" | base64 -w 0)"
    fact_files manifest "$MANIFEST" policy "$policy" \
        admission "$ADMISSION" admission-source "$source" static-policies "$static_policies" \
        before-manifest "$(kept_from_before kube-apiserver.yaml)" before-policy "$STATE/before/audit-policy.yaml" \
        before-kubeadm-config "$STATE/before/cluster-configuration.yaml" \
        owner "$STATE/owner" entry "$STATE/entry" former-owner "$STATE/former-owner" edits-back "$STATE/edits-back" owned "$STATE/owned" \
        owned-kubeadm-config "$STATE/owned-kubeadm-config"
    fact_scripts
    if [ -f "$webhook" ]; then say "webhook $(hash_of "$webhook") $(stat -c '%Z %Y' "$webhook")"; else say "webhook absent"; fi
    for name in $KINDS; do say "staged-$name $(hash_of "$STATE/staged/audit-$name.yaml")"; done
    for name in manifest $KINDS kubeadm-config; do
        if [ -f "$STATE/written/$name" ] && read -r hash <"$STATE/written/$name"; then say "written $name $hash"; fi
    done
    if [ -f "$STATE/proof" ]; then say "proof $(base64 -w 0 <"$STATE/proof")"; fi
    if [ -s "$STATE/unproven" ]; then say "unproven $(base64 -w 0 <"$STATE/unproven")"; fi
    if [ -e "$STATE/journal" ]; then fact_files journal "$STATE/journal"; fi
    fact_manifests
    fact_static_folder
    running=$(apiserver_pids)
    for pid in $running; do
        say "process $pid $(started "$pid") $(base64 -w 0 <"/proc/$pid/cmdline" 2>/dev/null) $(identity "$pid")"
    done
    if [ -n "$running" ]; then look_at_api "$(own_api)" | fact_cluster; fi
    look_at_etcd | fact_cluster
    say "memory-available-bytes $(($(available_kilobytes) * 1024))"
    say "memory-running-bytes $(($(resident_kilobytes "$running") * 1024))"
    find_pod_logs "$kubelet"
    # shellcheck disable=SC2154
    [ "$pod_logs" = /var/log/pods ] || say "pod-logs $(printf %s "$pod_logs" | base64 -w 0)"
    port=$(manifest_flag secure-port)
    if redirect_tool >/dev/null; then
        say "redirect-tool $(redirect_tool)"
        say "firewall $(firewall_about "${port:-6443}" | base64 -w 0)"
    fi
    say "loopback-clients $(loopback_clients "${port:-6443}" | base64 -w 0)"
    fact_log_space "$log"
    for tool in kubectl flock base64 sha256sum setsid; do
        command -v "$tool" >/dev/null || say "missing-tool $tool"
    done
}

# admission_source: where the AdmissionConfiguration is that the API server has, or would have, without the stack's; nothing where
# it has none. The stack's own says in its first line what it was made of.
admission_source() {
    found=$(manifest_flag admission-control-config-file)
    if [ "$found" = "$ADMISSION" ]; then
        if [ -f "$ADMISSION" ]; then
            found=$(sed -n "1s/^# The API server's admission configuration: that of \\(\\/.*\\), and the policies .*/\\1/p" "$ADMISSION")
        else
            found=$(manifest_flag admission-control-config-file "$(kept_from_before kube-apiserver.yaml)")
        fi
    fi
    say "$found"
}

# node_name KUBELET-PID: the machine's name in its cluster: kubelet's --hostname-override, which kubeadm sets where the node has
# another name than its host; else the user of kubelet's kubeconfig; else the host's name.
node_name() {
    named=$(kubelet_flag hostname-override "$1")
    [ -n "$named" ] ||
        named=$(sed -n 's/^ *\(- \)\{0,1\}name: *system:node:\([^@ ]*\)$/\2/p' "$KUBELET_CONF" 2>/dev/null | head -n 1)
    [ -n "$named" ] || named=$(uname -n | tr '[:upper:]' '[:lower:]')
    say "$named"
}

# role: what the node is to kubeadm. A node without admin.conf cannot change kubeadm-config, whatever runs on it.
role() {
    if [ -f "$ADMIN_CONF" ]; then
        echo control-plane
    elif [ -f "$KUBELET_CONF" ]; then
        echo worker
    else
        echo none
    fi
}

# kept_from_before NAME: the copy that removal gives back; one that is empty is not one, and the archive has another.
kept_from_before() {
    kept=$STATE/before/$1
    if [ -f "$kept" ] && [ ! -s "$kept" ]; then
        for backup in "$ARCHIVE"/[0-9]*; do
            if [ -e "$backup/before-audit-logging" ] && [ -s "$backup/$1" ]; then kept=$backup/$1; fi
        done
    fi
    say "$kept"
}

# The hash of the installed scripts, unless they break off before their end; where there are none, when their folder, or the one
# above it, was last changed, so that their loss is told from the time before they came.
fact_scripts() {
    scripts=$(hash_of "$STATE/node.sh")
    if [ "$(tail -n 1 "$STATE/node.sh" 2>/dev/null)" != "esac" ]; then scripts=absent; fi
    if [ "$scripts" = absent ]; then
        scripts="absent $(stat -c %Z "$STATE" 2>/dev/null || stat -c %Z "${STATE%/*}" 2>/dev/null || echo 0)"
    fi
    say "scripts $scripts"
}

# fact_files [NAME PATH]...: of each change and modification time in seconds, mode, and the text; or "absent" and when its
# folder was last changed, so that a file that is deleted once more is told from the first time.
fact_files() {
    stat_files_and_folders "$@"
    while [ $# -gt 0 ]; do
        if [ -f "$2" ]; then
            stat_of "$2"
            say "file $1 $found $(base64 -w 0 <"$2")"
        else
            stat_of "${2%/*}/"
            say "file $1 absent ${found%% *}"
        fi
        shift 2
    done
}

stat_files_and_folders() {
    pairs=$(($# / 2))
    while [ "$pairs" -gt 0 ]; do
        path=$2
        shift 2
        set -- "$@" "$path" "${path%/*}/"
        pairs=$((pairs - 1))
    done
    stat_all '%Z %Y %a' "$@"
}

# stat_all FORMAT PATH...: asks about all of them at once; stat_of has the answers. Of a link, what it leads to counts.
stat_all() {
    format=$1
    shift
    answers=$line_break$(stat -L -c "$format %n" "$@" 2>/dev/null)$line_break
}

# stat_of PATH: the answer about it, as $found; 0 where there is no such thing. What came after it was asked about is
# asked about now.
stat_of() {
    case $answers in
        *" $1$line_break"*)
            found=${answers%%" $1$line_break"*}
            found=${found##*"$line_break"}
            ;;
        *) found=$(stat -L -c "$format" "$1" 2>/dev/null || echo 0) ;;
    esac
}

# Every other file that kubelet would run as a static pod: it reads all but dot files, whatever they are called.
# A file too large to be a manifest is named and not sent. Last comes its change time. A named pipe is named and not opened:
# whoever reads it waits for somebody to write.
fact_manifests() {
    set --
    for entry in "$MANIFESTS"/*; do
        if [ -p "$entry" ] && kubelet_waits_for_a_writer; then say "manifest-pipe $(printf '%s' "${entry##*/}" | base64 -w 0)"; fi
        if [ -f "$entry" ] && [ "$entry" != "$MANIFEST" ]; then set -- "$@" "$entry"; fi
    done
    [ $# -gt 0 ] || return 0
    stat_all '%s %Z' "$@"
    for entry in "$@"; do
        stat_of "$entry"
        [ "$found" != 0 ] || continue
        if [ "${found% *}" -gt 262144 ]; then text=; else text=$(base64 -w 0 <"$entry"); fi
        say "static-pod $(printf '%s' "${entry##*/}" | base64 -w 0) $text ${found#* }"
    done
}

# kubelet_waits_for_a_writer: whether a thread of kubelet opens a pipe that nobody writes to. It passes by one that is there when
# it starts, and opens one that comes later. The kernel says so by the function that the thread waits in (fs/pipe.c); what it
# was called before Linux 5.5 comes second.
kubelet_waits_for_a_writer() {
    for pid in $(processes_named kubelet); do
        if grep -q -s -x -e wait_for_partner -e pipe_wait "/proc/$pid/task/"*/wchan; then return 0; fi
    done
    return 1
}

# static_folder: the folder of admission policies that the API server reads by its own configuration; nothing where it reads none.
static_folder() {
    configured=$(manifest_flag admission-control-config-file)
    [ -f "$configured" ] || return 0
    awk '
        { sub(/[ \t]+#.*/, "") }
        /^[ -]*name:/ { ours = ($NF ~ /^["'"'"']?ValidatingAdmissionPolicy["'"'"']?$/) }
        ours && /^ *staticManifestsDir:/ { sub(/^ *staticManifestsDir: */, ""); gsub(/["'"'"']/, ""); print; exit }' "$configured"
}

# fact_static_folder: the folder of admission policies that the API server reads, or will read where a file of the stack is to
# lie, with the hash by which the API server names what is there; and each file that it reads there, but the stack's, as in
# fact_manifests. What is no file keeps it from starting all the same, and is not opened.
fact_static_folder() {
    folder=${static_policies%/*}
    [ -n "$folder" ] || folder=$(static_folder)
    [ -d "$folder" ] || return 0
    say "static-folder $(printf '%s' "$folder" | base64 -w 0) $(folder_hash "$folder")"
    for entry in "$folder"/* "$folder"/.[!.]*; do
        case $entry in
            "$static_policies") continue ;;
            *.[yY][aA][mM][lL] | *.[yY][mM][lL] | *.[jJ][sS][oO][nN]) ;;
            *) continue ;;
        esac
        if [ -d "$entry" ] && [ ! -L "$entry" ]; then continue; fi
        text=
        if [ ! -f "$entry" ]; then
            kind=other
        elif [ "$(stat -L -c %s "$entry")" -gt 262144 ]; then
            kind=large
        else
            kind=file text=$(base64 -w 0 <"$entry")
        fi
        say "static-file $(printf '%s' "${entry##*/}" | base64 -w 0) $kind${text:+ $text}"
    done
}

# fact_static_taken: the hash of the admission policies that the API server has taken, where it reads the folder that is told of
# already, and says.
fact_static_taken() {
    [ ! -e "$STATE/journal" ] || return 0
    folder=${static_policies%/*} configured=$(static_folder)
    [ -n "$configured" ] && [ "${folder:-$configured}" = "$configured" ] && command -v kubectl >/dev/null || return 0
    policy_metrics "$(own_api)" | sed -n 's/^taken sha256:/static-taken /p'
}

# manifest_flag NAME [FILE]: what the live manifest, or FILE, gives --NAME, the last time it does; empty without it. It sees arguments one a
# line or in a flow list, plain or quoted, and a value that is joined by "=" or the next item; comments do not count.
# The operator's side reads the manifest as YAML, and asks again by path where it finds another one.
manifest_flag() {
    manifest_file=${2-$MANIFEST}
    [ -f "$manifest_file" ] || return 0
    sed 's/^[[:space:]]*#.*//; s/[[:space:]]#.*//' "$manifest_file" | tr ',[]' '[\n*]' |
        sed "s/^[[:space:]]*\\(-[[:space:]]\\{1,\\}\\)\\{0,1\\}//; s/[[:space:]]*\$//; s/^[\"']//; s/[\"']\$//" |
        awk -v flag="--$1" '
            index($0, flag "=") == 1 { value = substr($0, length(flag) + 2) }
            follows && $0 != "" && $0 !~ /^--/ { value = $0 }
            $0 != "" { follows = ($0 == flag) }
            END { print value }'
}

# fact_log_space LOG: the size of its file system, what it has left and whether it can be written, and what the log and
# its rotated files take of it: STEM.EXT, and STEM-TIME.EXT or STEM-TIME.EXT.gz. A log that is no file (empty, or - for
# standard output) counts as one in /var/log.
fact_log_space() {
    case $1 in /*) log_file=$1 ;; *) log_file=/var/log/kubernetes ;; esac
    folder=${log_file%/*} name=${log_file##*/}
    say "log-used-bytes $(bytes_of "$log_file" "$folder/${name%.*}"-[0-9]*)"
    while [ ! -d "$folder/" ]; do folder=${folder%/*}; done
    fact_log_written "$log_file"
    fact_log_silent "$log_file"
    df -P -k "$folder/" | {
        read -r _
        read -r _ size _ free _
        say "log-free-bytes $((free * 1024))"
        say "log-size-bytes $((size * 1024))"
    }
    # Root may write everything but what is mounted read-only.
    if [ ! -w "$folder/" ]; then say "log-folder-read-only $(printf %s "${folder:-/}" | base64 -w 0)"; fi
}

# bytes_of PATH...: what those of them that are files hold together.
bytes_of() {
    bytes=0
    for path in "$@"; do
        shift
        [ ! -f "$path" ] || set -- "$@" "$path"
    done
    if [ $# -gt 0 ]; then
        for size in $(stat -c %s "$@"); do bytes=$((bytes + size)); done
    fi
    say "$bytes"
}

# fact_log_written LOG: how much was written to it since when: from the first event of its oldest uncompressed file to now.
# A log in the legacy format does not tell.
fact_log_written() {
    rotated_names "$1"
    log_itself=$1
    # The time in their names puts them in order.
    set -- "$stem"-[0-9]*"$extension"
    [ -f "$1" ] || shift
    set -- "$@" "$log_itself"
    [ -f "$1" ] || return 0
    began=$(head -c 1048576 "$1" | sed -n '1s/.*"stageTimestamp":"\([0-9-]*\)T\([0-9:]*\)[^"]*".*/\1 \2/p; 1q')
    began=$([ -z "$began" ] || date -u -d "$began" +%s 2>/dev/null)
    [ -n "$began" ] || return 0
    say "log-written $(bytes_of "$@") $(($(date +%s) - began))"
}

# fact_log_silent LOG: how long ago something was written to it, by this machine's own clock.
fact_log_silent() {
    [ ! -f "$1" ] || say "log-silent-seconds $(($(date +%s) - $(stat -c %Y "$1")))"
}

# The audit flags as this node's API server names them itself; nothing where it does not say, or while a change is under way,
# in which another one may answer in its place. Other flags stay on the node.
fact_flagz() {
    [ ! -e "$STATE/journal" ] || return 0
    command -v kubectl >/dev/null || return 0
    named=$(GOGC=off api "$(own_api)" --request-timeout=5s get --raw /flagz 2>/dev/null | grep '^audit-')
    [ -z "$named" ] || say "flagz $(printf '%s\n' "$named" | base64 -w 0)"
}

# fact_dead_apis: the aggregated APIs of the cluster whose backends do not answer, each with the reason. Until they do, Kubernetes
# finishes the deletion of no namespace. By its whole name kubectl would look for a version first, and then write its cache again.
fact_dead_apis() {
    command -v kubectl >/dev/null || return 0
    available='{.status.conditions[?(@.type=="Available")]'
    GOGC=off kubectl --kubeconfig "$ADMIN_CONF" --request-timeout=5s get apiservices \
        -o "jsonpath={range .items[*]}{.metadata.name} $available.status} $available.reason}{\"\\n\"}{end}" 2>/dev/null |
        sed -n 's/^\([^ ]*\) False /dead-api \1 /p'
}

# fact_annotations: the admission policies and bindings of annotations that the cluster has, a line each: KIND/NAME and what it
# says as JSON; and then KIND/NAME and the object's own annotations, which name its owner. As JSON neither has a line break, so that
# no text of somebody's stands for a line. Nothing where the cluster does not say.
fact_annotations() {
    command -v kubectl >/dev/null || return 0
    there=$(GOGC=off kubectl --kubeconfig "$ADMIN_CONF" --request-timeout=10s get \
        validatingadmissionpolicies,validatingadmissionpolicybindings \
        -o 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.spec}{"\n"}of {.kind}/{.metadata.name} {.metadata.annotations}{"\n"}{end}' \
        2>/dev/null) || return 0
    say "annotations $(printf '%s\n' "$there" | grep '^[A-Za-z]*/audit-annotations-' | base64 -w 0)"
    say "annotation-owners $(printf '%s\n' "$there" | sed -n 's#^of \([A-Za-z]*/audit-annotations-\)#\1#p' | base64 -w 0)"
}

# fact_cluster: what cluster.sh saw, one line each, as facts.
fact_cluster() {
    while read -r seen kind subject sentence; do
        say "cluster $seen $kind $subject${sentence:+ $(printf %s "$sentence" | base64 -w 0)}"
    done
}

# fact_kubeadm_config NODE,...: with it, in the same question, whether these nodes are Ready.
# After a change that was cut off the API server may be between two processes: it is waited for, up to a minute, and what
# was read at the beginning of that change counts where none comes.
# kubectl ends before it would pay to collect what it no longer needs.
fact_kubeadm_config() {
    command -v kubectl >/dev/null || return 0
    # shellcheck disable=SC2046  # a word for each node
    set -- configmap/kubeadm-config $(printf 'node/%s\n' "$1" | sed 's#,#\nnode/#g')
    deadline=0
    if [ -e "$STATE/journal" ]; then deadline=$(($(uptime_seconds) + 60)); fi
    while :; do
        if found=$(GOGC=off kubectl --kubeconfig "$ADMIN_CONF" --request-timeout=10s -n kube-system get --ignore-not-found "$@" \
            -o "jsonpath=$READINESS_AND_KUBEADM_CONFIG" 2>&1); then
            case $found in *ConfigMap/*) break ;; *) found="there is no ConfigMap kube-system/kubeadm-config" ;; esac
        fi
        if [ "$(uptime_seconds)" -ge "$deadline" ]; then
            if [ -e "$STATE/journal" ] && [ -f "$STATE/kubeadm-config" ]; then
                say "kubeadm-config-kept $(head -n 1 "$STATE/kubeadm-config") $(tail -n +2 "$STATE/kubeadm-config" | base64 -w 0)"
            fi
            say "kubeadm-config-error $(printf '%s' "$found" | tail -n 1 | base64 -w 0)"
            return
        fi
        sleep 2
    done
    printf '%s\n' "${found%%ConfigMap/*}" | sed -n 's#^Node/##p' | look_at_nodes | fact_cluster
    found=${found#*ConfigMap/}
    text=${found#* }
    say "kubeadm-config ${found%% *} $(printf '%s' "${text%.}" | base64 -w 0)"
}

READINESS_AND_KUBEADM_CONFIG="{range .items[?(@.kind==\"Node\")]}Node/$NODE_READINESS{end}\
{range .items[?(@.kind==\"ConfigMap\")]}ConfigMap/{.metadata.resourceVersion} {.data.ClusterConfiguration}.{end}"
