#!/bin/sh
# install.sh VENV LOCK [PYTHON...]: install the packages of LOCK into VENV. With Pythons, VENV is first
# created with the first suitable one.
set -eu
venv=$1
lock=$2
shift 2
if [ $# -gt 0 ]; then
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
    # an environment of another Python, or an incomplete one, is replaced
    if ! "$venv/bin/python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
    then
        rm -rf "$venv"
        "$found" -m venv "$venv"
    fi
fi
# install LOCK: with uv where it is. uv knows nothing of pip's settings: where it fails, pip may not
install() {
    if ! command -v uv >/dev/null 2>&1 ||
        ! uv pip install --quiet --python "$venv/bin/python" --require-hashes -r "$1"
    then
        "$venv/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
            --require-hashes -r "$1"
    fi
}
echo "Installing the packages of $lock into $venv (takes a few minutes on first use) ..." >&2
# numba first: pip uses one core, and the others compile the kernels. Where that fails, the first run does.
awk '/^[^ ]/ { kept = /^(llvmlite|numba|numpy)==/ } kept' "$lock" >"$venv/numba.lock"
kernels=
if [ -s "$venv/numba.lock" ]; then
    install "$venv/numba.lock"
    "$venv/bin/python" "$(dirname "$0")/kernels.py" >"$venv/kernels.log" 2>&1 &
    kernels=$!
    trap 'kill "$kernels" 2>/dev/null; rm -f "$venv/numba.lock"' EXIT
fi
install "$lock"
# On all cores; pip would use one. Nothing imports the files that do not compile (templates of packages).
"$venv/bin/python" -m compileall -q -j 0 "$venv/lib" || true
# Where PYTHONDONTWRITEBYTECODE is set, every job would compile the library again. It may be read-only.
"$venv/bin/python" -m compileall -qq -j 0 "$(dirname "$0")/src" || true
rm -f "$venv/numba.lock"
if [ -n "$kernels" ] && ! wait "$kernels"; then
    echo "The kernels could not be compiled ($venv/kernels.log): the first run compiles them." >&2
fi
trap - EXIT
