#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Python packages that only one command needs, those of requirements-NAME.txt. Done once; later calls return at once.
# Usage: scripts/setup-packages.sh docs|formal|fpga
set -eu
cd "$(dirname "$0")/.."
name=$1
log=build/setup-$name.log
stamp=.venv/setup-$name-done
key=$(sha256sum <"requirements-$name.txt")

[ "$(cat "$stamp" 2>/dev/null)" != "$key" ] || exit 0
mkdir -p build
.venv/bin/python -m pip install --disable-pip-version-check --no-input --use-pep517 -r "requirements-$name.txt" >"$log" 2>&1 ||
    { echo "$name: the Python packages of requirements-$name.txt could not be installed (log: $log)" >&2; exit 1; }
echo "$key" >"$stamp"
