#!/bin/sh
# Print the command of a Python >= 3.11: $PYTHON if it is given, else what is found. Says what to do where there is none.
suits() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
if [ -n "${PYTHON:-}" ]; then
    suits "$PYTHON" && { echo "$PYTHON"; exit 0; }
    echo "PYTHON=$PYTHON is not a Python 3.11 or newer." >&2
    exit 1
fi
for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
    suits "$name" && { echo "$name"; exit 0; }
done
for path in /usr/bin/python3 /usr/local/bin/python3; do
    suits "$path" && { echo "$path"; exit 0; }
done
echo "FaaSioFlex needs Python 3.11 or newer, and none is in PATH. On Debian and Ubuntu: apt install python3." >&2
echo "Where it has another name: make PYTHON=/path/to/python3.11 …" >&2
exit 1
