#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what the project needs: Debian packages, the virtual environment .venv, the pinned Python packages.
# Usage: scripts/setup.sh [verilator|icarus [python]]. Done once; a stamp of its inputs makes every later call return at once.
#        scripts/setup.sh evaluation: the Debian packages with the test data of the evaluation, 0.4 GB, and nothing else.
set -eu
cd "$(dirname "$0")/.."
simulator=${1:-verilator}
export PYTHON="${2:-${PYTHON:-python3}}"
packages=scripts/debian-packages.txt
stamp=.venv/setup-done
log=build/setup.log

say() { printf "setup: %s\n" "$*" >&2; }
die() { say "$@"; exit 1; }
apt_command() { echo "sudo apt-get update && sudo apt-get install --no-install-recommends $*"; }

done_before() {
    [ -x .venv/bin/python ] && [ "$(cat $stamp 2>/dev/null)" = "$key" ] &&
        { [ "$simulator" != icarus ] || command -v iverilog >/dev/null; }
}

# Names of the packages of class $1 whose test fails.
missing() {
    while read -r package when check; do
        [ "$when" = "$1" ] || continue
        sh -c "$check" >/dev/null 2>&1 </dev/null || printf '%s ' "$package"
    done <$packages
}

missing_needed() {
    missing always
    [ "$simulator" != icarus ] || missing icarus
}

# Runs a command with its output in the log, whose last lines are shown should it fail.
logged() {
    "$@" >>$log 2>&1 </dev/null || { tail -n 5 $log >&2; die "failed: $* (all of it: $log)"; }
}

install_debian_packages() {
    say "installing $# Debian packages, once: $*"
    export DEBIAN_FRONTEND=noninteractive
    # A source that cannot be reached is no error as long as the packages are found elsewhere.
    apt-get update >>$log 2>&1 </dev/null || true
    logged apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}

if [ "$simulator" = evaluation ]; then
    needed=$(missing evaluation)
    [ -n "$needed" ] || exit 0
    # shellcheck disable=SC2086  # a list of words
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || die "please run: $(apt_command $needed)"
    mkdir -p build
    # shellcheck disable=SC2086
    install_debian_packages $needed
    needed=$(missing evaluation)
    [ -z "$needed" ] || die "installed, but their tests in $packages still fail: $needed"
    exit 0
fi

# Verilator's makefiles split paths at spaces; make, the shell and the PATH read the other characters in their own way.
case $PWD in
    *[[:space:]:\$\#\'\"\\\`\;\&\(\)%]*) die "this folder's path holds a space or one of : \$ # ' \" \\ \` ; & ( ) %, which Verilator's makefiles do not take; please move it: $PWD" ;;
esac

# The version of a Python, if it is new enough.
version_of() { "$1" -c 'import sys; print(*sys.version_info[:3], sep="."); sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

version=
[ $# -lt 2 ] || version=$(version_of "$PYTHON") || die "PYTHON=$PYTHON: Python 3.10 or newer is needed; this is not"
if [ -n "$version" ] && [ -x .venv/bin/python ] && [ "$version" != "$(version_of .venv/bin/python)" ]; then
    die "PYTHON=$PYTHON is $version, but .venv is made from $(version_of .venv/bin/python); run: make distclean, and try again"
fi

key=$(cat scripts/setup.sh $packages requirements*.txt | sha256sum)
! done_before || exit 0

# One set-up at a time: the others wait, then find it done.
mkdir -p build
exec 9>build/setup.lock
flock 9
! done_before || exit 0
: >$log

version_of "$PYTHON" >/dev/null ||
    die "Python 3.10 or newer is needed; '$PYTHON' is not (name another one: make setup PYTHON=...)"

needed=$(missing_needed)
extra=$(missing optional; [ "$simulator" = icarus ] || missing icarus)
if [ -n "$needed$extra" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086  # lists of words
    install_debian_packages $needed $extra
    needed=$(missing_needed)
    [ -z "$needed" ] || die "installed, but their tests in $packages still fail: $needed"
    extra=
fi
# shellcheck disable=SC2086
[ -z "$needed" ] || die "please run: $(apt_command $needed $extra)"
# shellcheck disable=SC2086
[ -z "$extra" ] || say "optional and not there; to have them: $(apt_command $extra)"

if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    rm -rf .venv
    logged "$PYTHON" -m venv .venv
fi
say "installing $(sed -n 's/==.*//p' requirements*.txt | sort -u | wc -l) Python packages, once; PyTorch is large"
logged .venv/bin/python -m pip install --disable-pip-version-check --no-input -r requirements.txt -r requirements-cluster.txt
logged .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps -r requirements-networks.txt
echo "$key" >$stamp
say "done"
