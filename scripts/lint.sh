#!/bin/sh
# Lints rtl/ with Verilator and Icarus, for the dynamic and the plain build. Any message fails.
# Waivers are comments in the RTL, beside what they waive, with their reason.
set -u
cd "$(dirname "$0")/.."
top=lstm_accelerator
failed=0

# Prints what the command said, and notes a failure if it said anything.
quiet() {
    messages=$("$@" 2>&1) && [ -z "$messages" ] && return
    printf '%s\n' "$messages"
    failed=1
}

for dynamic in 1 0; do
    quiet scripts/bin/verilator --lint-only --quiet-stats -Wall -Irtl --top-module $top -GDynamicPrecision=$dynamic rtl/*.v
    quiet iverilog -g2005 -Wall -Irtl -t null -s $top -P$top.DynamicPrecision=$dynamic rtl/*.v
done
[ $failed = 0 ] && echo "lint: clean (Verilator and Icarus, DynamicPrecision = 1 and 0)"
exit $failed
