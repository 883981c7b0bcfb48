#!/bin/sh
# Gives one rule group to the API of Loki's ruler, or takes it away: apply reads the group from standard input.
# RULER_GROUPS is the address of the stack's own namespace of rules, RULER_GROUP the group's name as an address has it.
# RULER_ACCESS holds options for curl (tenant, user, password), RULER_AUTHORITY certificates; both may be empty.
# curl gets them through a pipe and a file: other users of the machine see arguments.
set -u
action=$1
umask 077
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

options() {
    printf '%s\n' "${RULER_ACCESS:-}"
    [ -z "${RULER_AUTHORITY:-}" ] || printf 'cacert = "%s"\n' "$folder/authority"
}

request() {
    options | curl --disable --config - --silent --show-error --max-time 60 --retry 3 \
        --output "$folder/answer" --write-out '%{http_code}' "$@"
}

printf '%s\n' "${RULER_AUTHORITY:-}" >"$folder/authority"
if [ "$action" = apply ]; then
    address=$RULER_GROUPS
    cat >"$folder/group"
    code=$(request --header 'Content-Type: application/yaml' --data-binary "@$folder/group" "$address")
else
    address=$RULER_GROUPS/$RULER_GROUP
    code=$(request --request DELETE "$address")
fi || {
    echo "$address cannot be reached" >&2
    exit 1
}
said=$(head -c 2000 "$folder/answer" 2>/dev/null)
case $action$code$said in
    apply2*) echo "in the ruler" ;;
    delete2*) echo "taken out of the ruler" ;;
    delete*"group does not exist"*) echo "no longer in the ruler" ;;
    *)
        echo "$address answers $code: ${said:-without a reason}" >&2
        exit 1
        ;;
esac
