# SPDX-License-Identifier: MIT
"""What is planted into a recorded run flips what rests on it, and leaves the rest."""

import dataclasses
import re

import numpy as np
import pytest

from artifact import measured, paths, samples
from artifact.cells import Cell
from artifact.measured import Measured
from artifact.verdicts import claims, coverage
from artifact.verdicts.state import at_one_state

RUN = paths.recorded_runs()[0]


@pytest.fixture(scope="module")
def as_it_was():
    everything = measured.of(paths.run(RUN))
    return everything, claims.verdicts(everything), coverage.headlines(everything)


def times(found, of, factor):
    """factor: a number, or one for each process."""
    chosen = [arm for arm in found.seconds if of(arm)]
    return {**found.seconds, **{arm: found.seconds[arm] * factor for arm in chosen}}


def swapped(found):
    """A team and the serial copy of one base page: somebody mixed up two names."""
    if found.cell.experiment != "break-even":
        return found.seconds
    ways = [[arm for arm in found.cell.variants if arm.startswith(way) and arm.endswith("bytes=4K")]
            for way in ("serial", "parallel")]
    seconds = dict(found.seconds)
    for one, other in zip(*ways):
        seconds[one], seconds[other] = seconds[other], seconds[one]
    return seconds


def slower_bulk(found):
    """What comes in one call takes 3 % longer, by whatever routine."""
    return times(found, re.compile("serial:bulk:").match, 1.03)


def slower_team(found):
    return times(found, re.compile("parallel:").match, 1.05)


def drift(found):
    """The machine is 5 % slower at the end than it was at first."""
    return times(found, lambda arm: True, np.linspace(1, 1.05, found.processes)[:, np.newaxis])


# What each plant must flip: verdicts, and headline ratios that the two runs no longer share.
# Whatever else moves has one of the words in its name.
TABLE = [
    (swapped, {"C12": ("holds", "does not hold")}, set(), ()),
    (slower_bulk, {},
     {"one bulk call over the page-by-page loop", "one bulk call over the loop of 2017",
      "best serial copy over the page-by-page loop"}, ("bulk", "serial")),
    (slower_team, {"C6": ("holds", "does not hold")},
     {"integer loop beside 2017: bound, nice -20, caller waits over alone"},
     ("team", "workers", "beside 2017")),
    (drift, {}, set(), ())]


@pytest.mark.parametrize("plant, flips, moved, words", TABLE)
def test_a_plant_flips_what_rests_on_it_and_leaves_the_rest(as_it_was, plant, flips, moved, words,
                                                            monkeypatch):
    (everything, before, here), read = as_it_was, samples.read

    def spoilt(run, cell):
        found = read(run, cell)
        return dataclasses.replace(found, seconds=plant(found)) if isinstance(cell, Cell) else found
    monkeypatch.setattr(samples, "read", spoilt)
    there = Measured(everything.run, everything.plan)
    after = claims.verdicts(there)
    assert flips == {one.claim.id: (one.word, other.word)
                     for one, other in zip(before, after, strict=True) if one.word != other.word}
    outside = {name for name, ratio in coverage.headlines(there).items()
               if coverage.inside(*at_one_state([here[name], ratio])) < 2}
    assert moved <= outside and all(any(word in name for word in words) for name in outside)
