# shellcheck shell=sh disable=SC2034,SC2154
# Admission policies in a folder of the node, which the API server reads at its start and again whenever a file there changes. One
# that it refuses keeps the next start from happening, so that it is tried before it comes there, and taken away at once.

# stage_folder [static-policies=PATH]...: the folder as it will be, for the rehearsal: ours, and what others have there.
stage_folder() {
    rehearsed_folder=$STATE/staged/static-policies
    rm -rf "$rehearsed_folder"
    path=$(given static-policies "$@") && [ -n "$path" ] || return 0
    problem="cannot write $rehearsed_folder"
    mkdir "$rehearsed_folder" || return 1
    for file in "$(dirname "$path")"/*; do
        [ ! -f "$file" ] || cp "$file" "$rehearsed_folder/" || return 1
    done
    cp "$STATE/staged/audit-static-policies.yaml" "$rehearsed_folder/${path##*/}"
}

# make_folder PATH: the folder of the file PATH, which the user of the API server may list. A removal takes it away again.
make_folder() {
    if [ -d "${1%/*}" ]; then return 0; fi
    problem="cannot make ${1%/*}"
    say "${1%/*}" | keep_record "$STATE/made-folder" && mkdir -p "${1%/*}" && chown "${runs_as:-0:0}" "${1%/*}"
}

# remove_made_folder: once nothing is in it.
remove_made_folder() {
    is_whole "$STATE/made-folder" || return 0
    rmdir "$(cat "$STATE/made-folder")" 2>/dev/null
    rm -f "$STATE/made-folder"
}

# note_refusals: how often the API server could not read the folder again, for policies_are_taken to compare with.
note_refusals() { refused_before=$(policy_metrics "$endpoint" | sed -n 's/^refused //p'); }

# await_policies: until the API server says that it has read what is in the folder; nothing to wait for where files deliver none.
# What it refuses it says within seconds, and then has the earlier ones still.
await_policies() {
    if [ -z "$(journal static-policies-desired)" ]; then return 0; fi
    refused=
    problem="the API server has not read $(journal static-policies) again"
    wait_until "$timeout" policies_are_decided || return 1
    if [ -n "$refused" ]; then
        problem="the API server refuses $(journal static-policies)"
        return 1
    fi
}

# policies_are_decided: whether the API server has taken the folder as it is now, or refused it, which $refused says. One that
# does not tell is taken at its word that it started with it.
policies_are_decided() {
    told=$(policy_metrics "$endpoint")
    # Others may write there meanwhile.
    folder_now=$(folder_hash "$(dirname "$(journal static-policies)")")
    if [ -z "$told" ]; then
        say "policies: the API server does not say which it has"
    elif say "$told" | grep -qxF "taken sha256:$folder_now"; then
        say "policies: the API server has taken those in $(dirname "$(journal static-policies)")"
    elif [ -n "${refused_before:-}" ] && [ "$(say "$told" | sed -n 's/^refused //p')" -gt "$refused_before" ]; then
        refused=yes
    else
        return 1
    fi
}

# policy_metrics ENDPOINT: "taken HASH" and "refused COUNT", as the API server counts them; nothing where it does not
# (k8s.io/apiserver pkg/admission/plugin/manifest/metrics).
policy_metrics() {
    api "$1" --request-timeout=10s get --raw /metrics 2>/dev/null | awk '
        !/^apiserver_manifest_admission_config_controller_/ || !/plugin="ValidatingAdmissionPolicy"/ { next }
        /last_config_info/ { found = 1; sub(/.*[{,]hash="/, ""); sub(/".*/, ""); print "taken " $0 }
        /automatic_reloads_total/ && /status="failure"/ { refused += $NF }
        END { if (found) print "refused " refused + 0 }'
}

# folder_hash FOLDER: the hash by which the API server names what is there: of each file that is not empty, and a zero byte.
folder_hash() {
    for file in "$1"/* "$1"/.[!.]*; do
        case $file in *.[yY][aA][mM][lL] | *.[yY][mM][lL] | *.[jJ][sS][oO][nN]) if [ -f "$file" ] && [ -s "$file" ]; then say "${file##*/}"; fi ;; esac
    done | sort | while IFS= read -r name; do
        cat "$1/$name"
        printf '\0'
    done | sha256sum | cut -d ' ' -f 1
}
