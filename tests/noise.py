# SPDX-License-Identifier: MIT
"""Eight kinds of noise, of known truth: how the results of processes in a row may vary.

Each takes a generator, how many runs and how many moments in each, and on a grid that is
finer than the processes how many moments there are to one; it returns (runs, moments).
"""

import math

import numpy as np


def independent(rng, runs, moments, per=1):
    return rng.normal(size=(runs, moments))


def remembering(rng, runs, moments, per=1):
    """AR(1), of 0.6 between two neighbouring processes."""
    r, values = 0.6 ** (1 / per), []
    for step in independent(rng, runs, moments).T:
        values.append(r * values[-1] + math.sqrt(1 - r * r) * step if values else step)
    return np.array(values).T


def drifting(rng, runs, moments, per=1):
    """A random walk beneath it."""
    return 0.5 * independent(rng, runs, moments) + \
        0.2 / math.sqrt(per) * independent(rng, runs, moments).cumsum(axis=1)


def stepping(rng, runs, moments, per=1):
    """Another level from some moment on, two deviations up or down."""
    at = rng.uniform(0, moments, (runs, 1))
    return independent(rng, runs, moments) + \
        2 * rng.choice([-1, 1], (runs, 1)) * (np.arange(moments) >= at)


def heavy_tailed(rng, runs, moments, per=1):
    return rng.standard_t(2.5, (runs, moments))


def bimodal(rng, runs, moments, per=1):
    return 0.3 * independent(rng, runs, moments) + 2 * (rng.random((runs, moments)) < 0.3)


def sticky(rng, runs, moments, per=1):
    """The same two modes, each for ten processes or so."""
    slow, leaves = [rng.random(runs) < 0.3], 0.1 / per
    for _ in range(moments - 1):
        chance = rng.random(runs)
        slow.append(np.where(slow[-1], chance < 1 - leaves, chance < leaves * 0.3 / 0.7))
    return 0.3 * independent(rng, runs, moments) + 2 * np.array(slow).T


def of_the_run(rng, runs, moments, per=1):
    """Half a deviation that all moments of a run have in common."""
    return independent(rng, runs, moments) + 0.5 * rng.normal(size=(runs, 1))


KINDS = {"independent": independent, "each remembers the one before": remembering,
         "a random walk beneath": drifting, "a step on the way": stepping,
         "heavy tails": heavy_tailed, "two modes": bimodal, "two modes, sticky": sticky,
         "a level of its own in each run": of_the_run}
