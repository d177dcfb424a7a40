#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs OpenSTA, which only `make silicon` needs.
set -eu
cd "$(dirname "$0")/.."
log=build/setup-silicon.log
die() { echo "silicon: $*" >&2; exit 1; }

! command -v sta >/dev/null || exit 0
[ "$(id -u)" = 0 ] || die "please run: sudo apt-get update && sudo apt-get install --no-install-recommends opensta"
mkdir -p build
{ apt-get update || true; DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 opensta; } \
    >$log 2>&1 </dev/null || die "opensta could not be installed (log: $log)"
