# No #! line and not executable: the runtime starts bash with it.
set -euo pipefail

request() {
    local leaks
    leaks=$(compgen -e | grep '^FFX_HEADER_X_FFX' | grep -vE '_(INVOCATION_ID|ATTEMPT)$' || true)
    printf '{"method": "%s", "path": "%s", "query": "%s", "request_id": "%s", "headers": {' \
        "$FFX_METHOD" "$FFX_PATH" "$FFX_QUERY" "$FFX_REQUEST_ID"
    printf '"x-ffx-invocation-id": "%s", "x-ffx-attempt": "%s", ' \
        "${FFX_HEADER_X_FFX_INVOCATION_ID-}" "${FFX_HEADER_X_FFX_ATTEMPT-}"
    printf '"x-thing": "%s", "x-request-id": "%s", "traceparent": "%s"%s}}' \
        "${FFX_HEADER_X_THING-}" "${FFX_HEADER_X_REQUEST_ID-}" "${TRACEPARENT-}" "${leaks:+, \"x-ffx-leak\": \"\"}"
}

given() {
    local principal=null groups
    if [[ -n ${FFX_PRINCIPAL_USER-} ]]; then
        groups=${FFX_PRINCIPAL_GROUPS:+"\"${FFX_PRINCIPAL_GROUPS//,/\", \"}\""}
        printf -v principal '{"user": "%s", "groups": [%s], "email": "%s"}' \
            "$FFX_PRINCIPAL_USER" "$groups" "${FFX_PRINCIPAL_EMAIL-}"
    fi
    printf '{"secret": "%s", "token": "%s", "principal": %s}' \
        "$(<"$FFX_SECRETS_DIR/db-password")" "$(<"$FFX_TOKEN_FILE")" "$principal"
}

environment() {
    local name separator=
    printf '{'
    for name in $(compgen -e); do
        printf '%s"%s": "%s"' "$separator" "$name" "${!name}"
        separator=', '
    done
    printf '}'
}

case $FFX_PATH in
/hello) printf hello ;;
/echo) cat ;;
/count) printf '{"bytes": %d}' "$(wc -c)" ;;
/request) request ;;
/fail)
    echo "the reason" >&2
    exit 3
    ;;
/sleep) echo asleep >&2; sleep 60 ;;
/spin) echo spinning >&2; while :; do :; done ;;
/stuck)
    trap '' TERM INT HUP
    while :; do :; done
    ;;
/log) printf 'one\ntwo\nthree\n' >&2 ;;
/stream)
    echo first
    sleep 60
    ;;
/pieces) head -c 262144 /dev/zero | tr '\0' x ;;
/environment) environment ;;
/given) given ;;
esac
