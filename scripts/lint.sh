#!/bin/sh
# SPDX-License-Identifier: MIT
# Lints rtl/ with Verilator and Icarus over a matrix of builds, as many at once as there are cores. Any message fails.
# With parameters as arguments (Tiles=3 ...), lints that build alone. Waivers are comments in the RTL, beside what they waive, with their reason. Environment: RTL, another folder to read the design from.
set -u
cd "$(dirname "$0")/.."
export RTL="${RTL:-rtl}" TOP=lstm_accelerator

# A build a line: values of parameters.
builds() {
    for dynamic in 1 0; do
        for tiles in 1 3 4 16; do
            for lanes in 8 16 64; do echo "DynamicPrecision=$dynamic Tiles=$tiles Lanes=$lanes"; done
        done
        # The least and the greatest depths.
        for lanes in 8 64; do
            echo "DynamicPrecision=$dynamic Lanes=$lanes InFlight=2 WeightDepth=8 UnitDepth=2 ActivationDepth=2"
            echo "DynamicPrecision=$dynamic Lanes=$lanes InFlight=64 WeightDepth=1048576 UnitDepth=65536 ActivationDepth=$((32768 / lanes))"
        done
    done
}

# Lints the build $* with both tools; prints their messages below the build, if there are any, and fails.
lint() {
    verilator=$(scripts/bin/verilator --lint-only --quiet-stats -Wall -I"$RTL" --top-module $TOP $(printf ' -G%s' "$@") "$RTL"/*.v 2>&1) &&
        icarus=$(iverilog -g2005 -Wall -I"$RTL" -t null -s $TOP $(printf " -P$TOP.%s" "$@") "$RTL"/*.v 2>&1) &&
        [ -z "$verilator$icarus" ] || { printf '%s\n' "$*:" "$verilator" "${icarus-}"; return 1; }
}

if [ $# -gt 0 ]; then
    lint "$@"
    exit
fi
builds | xargs -P "$(nproc)" -I {} sh -c 'scripts/lint.sh {}' || { echo "lint: the RTL is not clean" >&2; exit 1; }
echo "lint: clean ($(builds | wc -l) builds, Verilator and Icarus)"
