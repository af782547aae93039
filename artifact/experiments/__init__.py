# SPDX-License-Identifier: MIT
"""A room for each experiment: its cells, its numbers, its figures."""
