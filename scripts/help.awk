# SPDX-License-Identifier: MIT
# Prints the targets of a Makefile with the variables that each takes (`takes.TARGET := ...`), and the variables, each with the `## ` comment
# above it.
/^## / { text = substr($0, 4); takes = ""; next }
text && /^takes\.[a-z-]+ := / { takes = $0; sub(/^[^=]*= /, "", takes); next }
text && /^[a-z][a-z-]*:/ {
    sub(/:.*/, "")
    targets = targets sprintf("  %-16s %s\n", $0, text)
    if (takes) targets = targets sprintf("  %-16s   takes %s\n", "", takes)
}
text && /^[A-Z]+ \?=/ { variables = variables sprintf("  %-16s %s\n", $1 "=" $3, text) }
{ text = "" }
END { printf "\nTargets\n%s\nVariables, with their defaults\n%s", targets, variables }
