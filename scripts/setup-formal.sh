#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what only `make formal` needs. Done once; later calls return at once.
set -eu
cd "$(dirname "$0")/.."
log=build/setup-formal.log
stamp=.venv/setup-formal-done
key=$(sha256sum <requirements-formal.txt)

mkdir -p build
[ "$(cat $stamp 2>/dev/null)" != "$key" ] || exit 0
.venv/bin/python -m pip install --disable-pip-version-check --no-input -r requirements-formal.txt >$log 2>&1 ||
    { echo "formal: the Python packages of requirements-formal.txt could not be installed (log: $log)" >&2; exit 1; }
echo "$key" >$stamp
