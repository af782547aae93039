# SPDX-License-Identifier: MIT
"""Cells in, one pyperf file per finished cell out."""
