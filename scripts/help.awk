# Prints the targets and variables of a Makefile, each with the `## ` comment above it.
/^## / { text = substr($0, 4); next }
text && /^[a-z][a-z-]*:/ { sub(/:.*/, ""); targets = targets sprintf("  %-16s %s\n", $0, text) }
text && /^[A-Z]+ \?=/ { variables = variables sprintf("  %-16s %s\n", $1 "=" $3, text) }
{ text = "" }
END { printf "\nTargets\n%s\nVariables, with their defaults\n%s", targets, variables }
