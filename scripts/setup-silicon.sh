#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what only `make silicon` needs: OpenSTA and nextpnr. Done once; later calls return at once.
set -eu
cd "$(dirname "$0")/.."
log=build/setup-silicon.log
stamp=.venv/setup-silicon-done
key=$(cat requirements-silicon.txt scripts/setup-silicon.sh | sha256sum)
die() { echo "silicon: $*" >&2; exit 1; }

mkdir -p build
if ! command -v sta >/dev/null; then
    [ "$(id -u)" = 0 ] || die "please run: sudo apt-get update && sudo apt-get install --no-install-recommends opensta"
    { apt-get update || true; DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 opensta; } \
        >$log 2>&1 </dev/null || die "opensta could not be installed (log: $log)"
fi
[ "$(cat $stamp 2>/dev/null)" != "$key" ] || exit 0
.venv/bin/python -m pip install --disable-pip-version-check --no-input -r requirements-silicon.txt >$log 2>&1 ||
    die "the Python packages of requirements-silicon.txt could not be installed (log: $log)"
echo "$key" >$stamp
