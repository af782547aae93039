# SPDX-License-Identifier: MIT
"""What figures and sentences call a cell, an arm, a share."""

from collections.abc import Iterable

import numpy as np

from artifact import estimate, older, teams
from artifact.policies import ALL
from artifact.samples import Samples


def cache_label(samples: Samples) -> str:
    if samples.cell.option("source-node"):
        return "between NUMA nodes"
    return (f"source {samples.cell.option('source')}, "
            f"destination {samples.cell.option('destination')}")


def folios_label(samples: Samples) -> str:
    count = max(samples.cell.of(arm).folios for arm in samples.cell.variants)
    order = samples.cell.label.partition("-")[0]
    placed = f", {order}" if samples.cell.experiment == "threads" and order != "spread" else ""
    return (f"{count} folio{'s' if count > 1 else ''} of {samples.cell.option('huge')} "
            f"per call{placed}")


def load_label(samples: Samples) -> str:
    load = teams.load_percent(samples)
    return f"each CPU {load} % loaded" if load else "idle machine"


def percent(share: float) -> str:
    return f"{round(100 * share) + 0} %"     # and no minus before a 0


def residence(samples: Samples) -> str:
    """Says so where a working set between L2 and LLC is not faster than memory:
    on many virtual machines the last-level cache is somebody else's."""
    if samples.cell.label.partition("-")[0] != "llc":
        return ""
    ours, memory = (np.median([fact[key] for fact in samples.facts])
                    for key in ("llc_load_ns", "memory_load_ns"))
    resident = "" if ours < 0.6 * memory else "NOT RESIDENT: "
    return f"\n{resident}{ours:.0f} ns a load,\nmemory {memory:.0f} ns"


def arm_label(samples: Samples, arm: str) -> str:
    """Of a team: its policy, and the copy routine where it is not the one that the
    first serial copy of its cell has, which is what such series were posted with."""
    cell, label = samples.cell, samples.cell.policy(arm).label
    routine, posted = (cell.of(each).primitive
                       for each in (arm, cell.where(strategy="serial", rule="bulk")[0]))
    return label if routine in (posted, "empty") else f"{label}, with {routine}"


def sequences(found: Iterable[tuple[Samples, str]]) -> str:
    """What teams copy with, and the serial copies that they are compared with: each cell, and
    each size in it, has a fastest one of its own."""
    pairs = [(samples.cell.of(arm).primitive,
              samples.cell.of(estimate.best_serial(samples, arm)).primitive) for samples, arm in found]
    team, best = (list(dict.fromkeys(routines)) for routines in zip(*pairs))
    return f"copying with {' or '.join(team)}, over one call of {' or '.join(best)}" \
        + (", whichever is faster there" if best[1:] else "")


def labels_of(cells: list[Samples]) -> list[str]:
    """The labels of the teams that any of the cells has, those as posted first."""
    found = {arm_label(samples, arm): samples.cell.policy(arm)
             for samples in cells for arm in teams.teams(samples)}
    return sorted(found, key=lambda label: (label != found[label].label,
                                            ALL.index(found[label])))


def arms_of_windows(samples: Samples) -> dict[str, str]:
    """The arms beside which a victim is looked at, with their labels."""
    cell = samples.cell
    return {arm: arm_label(samples, arm) if cell.of(arm).parallel
            else f"serial: {cell.of(arm).primitive}" for arm in cell.variants[1:]}


def cell_label(samples: Samples) -> str:
    """A cell of teams, by what sets it apart from the others of its experiment."""
    if samples.cell.option("load") is not None:
        return load_label(samples)
    if samples.cell.experiment == "concurrent":
        return f"{samples.cell.of(samples.cell.baseline).migrators} at once"
    return victim_label(samples) if samples.cell.option("victim") else samples.cell.label


def victim_label(samples: Samples) -> str:
    """What a victim does, as pagecopy said when it was measured."""
    return samples.facts[0].get("victim") or older.VICTIMS.get(
        samples.cell.label, samples.cell.label)
