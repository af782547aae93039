# SPDX-License-Identifier: MIT
"""Cells in, one pyperf file per finished cell out."""

MINUTES = 12.0          # of measuring and drawing, unless asked for others
AROUND = 0.25           # of them, until measuring begins and while answers are said
