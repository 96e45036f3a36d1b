# Run with: ffx test (or sh test.sh)
set -eu
cd "$(dirname "$0")"

expect() {
    if [ "$2" = "$1" ]; then echo "ok: $1"; else echo "expected '$1', got '$2'"; exit 1; fi
}

expect 'Hello, Ada!' "$(echo '{"name": "Ada"}' | ./handle.sh 2>/dev/null)"
expect 'Hello, world!' "$(./handle.sh </dev/null 2>/dev/null)"
