# SPDX-License-Identifier: MIT
"""The quarter-product machine as integers (docs/numerics.md, "Quarter products"), before its RTL.

Weights and activations are two nibbles each; a row is computed by one to four quarter products. Kept beside the two-plane machine, which
rtl/ is, until the RTL follows.
"""
