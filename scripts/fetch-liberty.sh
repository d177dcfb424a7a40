#!/bin/sh
# SPDX-License-Identifier: MIT
# Puts the OSU 0.18 um standard cells into build/osu018, from their Debian package: unpacked, not installed, as it would
# bring a whole place-and-route flow along.
set -eu
cd "$(dirname "$0")/.."
package=qflow-tech-osu018
installed=/usr/share/qflow/tech/osu018
mkdir -p build/osu018
cd build/osu018
if [ ! -d $installed ]; then
    # Lists of packages may be missing or old.
    apt-get download $package >/dev/null 2>&1 || { apt-get update && apt-get download $package; } >/dev/null 2>&1 || {
        echo "no $package; please run: sudo apt-get update, and try again" >&2
        exit 1
    }
    dpkg -x $package*.deb .
    rm $package*.deb
    installed=.$installed
fi
cp $installed/osu018_stdcells.v .
cp $installed/osu018_stdcells.lib unfinished.lib
mv unfinished.lib osu018_stdcells.lib  # last: its presence says that all is there
rm -rf usr
