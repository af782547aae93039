# SPDX-License-Identifier: MIT
"""What older code wrote, and runs still hold: recorded ones, and packed ones of others.

Up to November 2026 a run had a plans.json in place of plan.json, cells were
of protocol 3, and neither what a victim does nor which facts of an arm are its
counts was written beside the samples. Nor was what observe=stretch is the time of.
"""

# Of the victims that there were then.
VICTIMS = {"integer": "integer loop", "l2": "L2-resident chase", "llc": "LLC-resident chase",
           "stream": "streaming read", "timer": "1 kHz timer"}

# Of the counts that there were then.
COUNTS = ("victim_switches", "energy_uj", "scanned", "found_idle", "stale", "taken_back")

STRETCH = "longest"      # of the calls of a copy

TIMER_NS = 1_000_000     # between wake-ups of the timer victim

PROTOCOL = 3


def plans(stored: dict) -> dict[str, dict]:
    """The content of a plans.json by notebook, with each cell's protocol in it.

    Raises KeyError or TypeError where it is none.
    """
    return {name: {"parameters": fields["parameters"], "plan": {
        "cells": [cell if "boots" in cell else {**cell, "protocol": PROTOCOL}
                  for cell in fields["plan"]["cells"]],
        "skipped": fields["plan"]["skipped"]}} for name, fields in stored.items()}
