# SPDX-License-Identifier: MIT
"""Writes the files that are generated from one source: `make generate`.

`formats.py` reads models/formats.py, `registers.py` rtl/registers.rdl, `activation.py` the table of models/activation.py. Each has a function
outputs() that returns what it makes, as a list of Output; `__main__.py` lists these functions. Generated files are committed, and a test
fails when one is stale.
"""
