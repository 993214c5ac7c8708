#!/bin/sh
# install.sh VENV PYTHON...: make VENV with the first Python that fits, and install requirements.lock.
set -eu
venv=$1
shift
found=
for candidate in "$@"; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
    then
        found=$candidate
        break
    fi
done
if [ -z "$found" ]; then
    echo "No Python 3.11, 3.12 or 3.13 was found (tried: $*)." >&2
    echo "Install one, or name it: make run PYTHON=/path/to/python3.12" >&2
    exit 1
fi
if ! "$found" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "$found has no venv module. On Debian and Ubuntu: sudo apt install python3-venv" >&2
    echo "(or name another Python: make run PYTHON=/path/to/python3.12)" >&2
    exit 1
fi
# an environment of another Python, or half of one, is not mended but made anew
if ! "$venv/bin/python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
then
    rm -rf "$venv"
    "$found" -m venv "$venv"
fi
echo "Installing the locked environment into $venv (some minutes the first time) ..." >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    -r requirements.lock
# pip leaves this undone where PYTHONDONTWRITEBYTECODE is set, and then every job's imports take twice
# as long; a file of a package that does not compile is one that nothing imports
"$venv/bin/python" -m compileall -q -j 0 "$venv/lib" || true
touch "$venv/installed"
