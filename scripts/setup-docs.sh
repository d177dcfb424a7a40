#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what only `make docs` needs. Done once; later calls return at once.
set -eu
cd "$(dirname "$0")/.."
log=build/setup-docs.log
stamp=.venv/setup-docs-done
key=$(cat requirements-docs.txt | sha256sum)

[ "$(cat $stamp 2>/dev/null)" != "$key" ] || exit 0
mkdir -p build
.venv/bin/python -m pip install --disable-pip-version-check --no-input --use-pep517 -r requirements-docs.txt >$log 2>&1 ||
    { echo "docs: the Python packages of requirements-docs.txt could not be installed (log: $log)" >&2; exit 1; }
echo "$key" >$stamp
