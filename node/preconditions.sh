# shellcheck shell=sh disable=SC2034,SC2154
# What must hold before anything is changed: kubelet can start the new API server at all, because it runs, the images of
# the API server and of the pod's sandbox are on the node, and there is room for every file.

# preconditions IMAGES FILE...: the reason in $problem when one does not hold. FILEs are those that will be written.
preconditions() {
    if ! kubelet_runs; then
        problem="kubelet does not run, and nothing else ends the old API server and starts the new one"
        return 1
    fi
    # shellcheck disable=SC2086  # several images in one argument
    images_are_there $1 || return 1
    shift
    for file in "$MANIFEST" "$@"; do
        case $file in
            /dev/*) ;;
            /*) has_room "$(dirname "$file")" && may_be_written "$file" || return 1 ;;
        esac
    done
}

# may_be_written FILE: a file that root may neither replace nor write to, and a pipe or socket, where the API server would wait
# for a reader with every request.
may_be_written() {
    if [ -p "$1" ] || [ -S "$1" ]; then
        problem="$1 is a pipe or a socket and no file"
        return 1
    fi
    case $(lsattr -d "$1" 2>/dev/null) in
        -*i*" $1")
            problem="$1 is immutable: chattr -i $1 lets it be changed"
            return 1
            ;;
    esac
}

# has_room FOLDER: whether it, or the folder in which it would be made, takes a file. kubelet ignores files with a dot.
has_room() {
    folder=$1
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    # What a power cut left of an earlier try.
    rm -f "$folder"/.kubernetes-audit.room.????????
    # A name that nobody can guess: others may write in the folder of a log, and a link there would lead root elsewhere.
    if room=$(mktemp "$folder/.kubernetes-audit.room.XXXXXXXX") && head -c 262144 /dev/zero >"$room" && rm -f "$room"; then
        return
    fi
    rm -f "${room:-}"
    problem="$1 cannot be written: the file system is full or read-only"
    return 1
} 2>/dev/null

# log_is_writable LOG: whether the user of the API server may write there, who is not root on a control plane that kubeadm made
# with RootlessControlPlane. A folder that is not there yet is made for that user.
log_is_writable() {
    case $1 in /*) ;; *) return 0 ;; esac
    if [ "$runs_as" = 0:0 ] || ! command -v setpriv >/dev/null; then return 0; fi
    for file in "$1" "$(dirname "$1")"; do
        if [ -e "$file" ] && ! setpriv --reuid "${runs_as%:*}" --regid "${runs_as#*:}" --clear-groups test -w "$file"; then
            problem="the API server runs as the user ${runs_as%:*} (runAsUser), who cannot write $file; \
give it to that user (chown $runs_as $file) and run again"
            return 1
        fi
    done
}

# let_it_read: an API server that is not root's can read what is staged, as a canary does, and write its log.
let_it_read() {
    [ "$runs_as" != 0:0 ] || return 0
    problem="cannot give $STATE/staged to the user ${runs_as%:*}"
    for file in "$STATE/staged"/audit-*.yaml "$STATE/staged/static-policies" "$STATE/staged/static-policies"/*; do
        [ ! -e "$file" ] || chown "$runs_as" "$file" || return 1
    done
    case $log in
        /*) [ -d "$(dirname "$log")" ] || { mkdir -p "$(dirname "$log")" && chown "$runs_as" "$(dirname "$log")"; } ;;
    esac
}

# images_are_there IMAGE...: fails with the remedy in $problem when one is missing. A node that cannot be asked, or an image
# whose name says too little, is no failure: that it was not checked is said.
images_are_there() {
    if ! list_images >"$STATE/images"; then
        say "images: not checked, because neither crictl nor ctr lists any"
        return
    fi
    for image in "$@" $(sandbox_image); do
        listed=$(listed_name "$image")
        if [ -n "$listed" ] && ! grep -qxF "$listed" "$STATE/images"; then
            problem="the image $image is not on the node, and the API server could not start without it; bring it there \
(crictl pull $image, or ctr -n k8s.io images import FILE) and run again"
            rm -f "$STATE/images"
            return 1
        fi
    done
    rm -f "$STATE/images"
}

# listed_name IMAGE: the name by which the container runtime knows it: by its digest alone where it has one, and with the tag
# latest where it has neither. Nothing for an image's id, and for a name without a registry, which stands for another one.
listed_name() {
    case $1 in */*) ;; *) return ;; esac
    case ${1%%/*} in *.* | *:* | localhost) ;; *) return ;; esac
    tagged=${1%@*}
    case ${tagged##*/} in *:*) untagged=${tagged%:*} ;; *) untagged=$tagged tagged=$tagged:latest ;; esac
    case $1 in *@*) say "$untagged@${1##*@}" ;; *) say "$tagged" ;; esac
}

# list_images: the names of all images that kubelet can use, one a line.
list_images() {
    if command -v crictl >/dev/null && crictl images -o yaml 2>/dev/null >"$STATE/images.new"; then
        sed -n 's/^ *- \([^ ]*[:@][^ ]*\)$/\1/p' "$STATE/images.new" | tr -d "\"'"
    elif command -v ctr >/dev/null && ctr -n k8s.io images ls -q 2>/dev/null >"$STATE/images.new"; then
        cat "$STATE/images.new"
    else
        rm -f "$STATE/images.new"
        return 1
    fi
    grep -q . "$STATE/images.new"
    found=$?
    rm -f "$STATE/images.new"
    return "$found"
}

# sandbox_image: the image of the pods' sandbox as containerd is configured, 1.x and 2.x; nothing where it cannot be told.
sandbox_image() {
    command -v containerd >/dev/null || return 0
    containerd config dump 2>/dev/null |
        sed -n -e "s/^ *sandbox_image = [\"']\([^\"']*\)[\"']\$/\1/p" -e "s/^ *sandbox = [\"']\([^\"']*\)[\"']\$/\1/p" |
        head -n 1
}
