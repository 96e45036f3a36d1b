#!/bin/sh
# Run make targets as a plain user: the platform has to work without root, and CI is root.
#
#     tools/as_plain_user.sh [-u USER] TARGET [VARIABLE=VALUE]…        e.g.  tools/as_plain_user.sh test PYTEST_ARGS=tests/security
#
# Makes the user where there is none, copies the tree (what git knows, with changes not yet committed) to that user's home and
# runs make there. Its .venv, .tools and .pytest_cache are kept from one run to the next. Exit code: make's.
set -eu

user=ffx-plain
while getopts u: option; do
    case $option in
        u) user=$OPTARG ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { echo "usage: tools/as_plain_user.sh [-u USER] TARGET…" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "tools/as_plain_user.sh needs root, to become another user. Without root run make $* itself." >&2; exit 2; }

top=$(cd "$(dirname "$0")/.." && pwd)
id "$user" >/dev/null 2>&1 || useradd --create-home --shell /bin/sh "$user"
[ "$(id -u "$user")" != 0 ] || { echo "$user is root" >&2; exit 2; }
home=$(getent passwd "$user" | cut -d: -f6)
tree=$home/faasioflex

mkdir -p "$tree"
find "$tree" -mindepth 1 -maxdepth 1 ! -name .venv ! -name .tools ! -name .pytest_cache -exec rm -rf {} +
(cd "$top" && git -c safe.directory="$top" ls-files -z --cached --others --exclude-standard \
    | tar --create --file=- --null --files-from=- --ignore-failed-read --warning=no-failed-read) \
    | tar --extract --file=- --directory="$tree"
chown -R "$user": "$tree"

# What the machine says of registries, certificates and proxies goes along; everything else is a new login's.
set -- "$@" "-C" "$tree"
names=$(env | sed -n 's/^\(\(PIP\|UV\|SSL\|NPM_CONFIG\|npm_config\|GO\(PROXY\|SUMDB\|FLAGS\)\|CI\|PYTEST\|[A-Za-z]*_[Pp][Rr][Oo][Xx][Yy]\)[A-Za-z0-9_]*\)=.*/\1/p' \
    | sort -u)
for name in $names; do
    eval "set -- \"$name=\$$name\" \"\$@\""
done
# assignments come first, then make's arguments: env takes the former, and its first other word is the command
assignments=$(printf '%s\n' "$names" | grep -c . || true)
exec setpriv --reuid "$user" --regid "$user" --init-groups \
    env -i HOME="$home" USER="$user" LOGNAME="$user" PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 COUNT="$assignments" \
    sh -c 'cd "$HOME" && n=$COUNT && unset COUNT && while [ "$n" -gt 0 ]; do export "$1"; shift; n=$((n - 1)); done; exec make "$@"' sh "$@"
