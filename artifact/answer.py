# SPDX-License-Identifier: MIT
"""An answer: a sentence made from samples alone, and the words that it is made with."""

import dataclasses

from artifact import estimate
from artifact.estimate import Estimate
from artifact.samples import KernelSamples

Cells = dict[str, list]     # samples by experiment, in the order of the plan


@dataclasses.dataclass(frozen=True)
class Answer:
    """A sentence, and the ratios it rests on by name: two runs of the same
    machine should agree on those."""

    sentence: str
    headlines: dict[str, Estimate]


NO_DIFFERENCE = "no clear difference"


def word(ratio: Estimate) -> str:
    """A speed over another, wherever one is told in words."""
    if not ratio.differs_from_1:
        return NO_DIFFERENCE
    return ("barely " if ratio.within_margin else "") + ("faster" if ratio.value > 1 else "slower")


def verb(ratio: Estimate) -> str:
    """The same within a sentence, of the thing that it is the speed of."""
    said = word(ratio)
    return "is indistinguishable from" if said == NO_DIFFERENCE else f"is {said} than"


def times(ratio: Estimate) -> str:
    """1.234x with its interval."""
    value, *interval = str(ratio).split(" ", 1)
    return " ".join([f"{value}x", *interval])


def nanoseconds(cost: Estimate) -> str:
    """A time in ns with its interval."""
    return f"{cost.value:.1f} ns [{cost.low:.1f}, {cost.high:.1f}]"


def with_warnings(sentence: str, cells: Cells) -> str:
    """Adds where cells contradict themselves, are less sharp than planned, or had no huge
    pages."""
    found = [samples for group in cells.values() for samples in group]
    unstable = [samples for samples in found if not estimate.is_stable(samples)]
    if failed := [f"{s.cell.experiment} {s.cell.label}" for s in unstable
                  if estimate.contradicts_itself(s)]:
        sentence += (" Inconclusive where it rests on cells in which a routine differs from "
                     "itself: " + ", ".join(failed) + ".")
    if blunt := len(unstable) - len(failed):
        sentence += f" Intervals are wider than planned in {blunt} of {len(found)} cells."
    if any(samples.huge_share < 1 for samples in found):
        sentence += " Some buffers were not backed by huge pages: read this as 4 KiB pages."
    return sentence


def where(samples: KernelSamples) -> str:
    """The kernel that answered, in words."""
    place = "this machine's kernel" if samples.cell.kernel == "host" else \
        f"the virtual machine's {samples.cell.kernel} kernel"
    return f"{place} ({samples.facts[0]['kernel']})"


def not_time(cells: list[KernelSamples]) -> str:
    """What must stand behind numbers that were counted."""
    return " These are instruction counts; they say nothing about how fast bytes move." if any(
        samples.cell.counted for samples in cells) else ""
