# Run with: ffx test (or bash test.sh)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

expect() { # WHAT BODY
    local got
    got=$(printf '%s' "$2" | bash handle.sh 2>/dev/null)
    if [[ $got == "$1" ]]; then
        echo "ok: $1"
    else
        echo "expected '$1', got '$got'" >&2
        exit 1
    fi
}

expect '{"message": "Hello, Ada!"}' '{"name": "Ada"}'
expect '{"message": "Hello, world!"}' ''
