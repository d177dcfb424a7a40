# SPDX-License-Identifier: MIT
"""What `make eval` does, by kind of work. Workers on other machines import it by name, and each module is a key of what it gave."""
