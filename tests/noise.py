# SPDX-License-Identifier: MIT
"""Eight kinds of noise, of known truth: how the results of processes in a row may vary.

Each takes a generator, how many runs and how many processes, and returns (runs, processes).
"""

import numpy as np


def independent(rng, runs, processes):
    return rng.normal(size=(runs, processes))


def remembering(rng, runs, processes):
    """AR(1), of 0.6 between two neighbours."""
    values = [rng.normal(size=runs)]
    for _ in range(processes - 1):
        values.append(0.6 * values[-1] + 0.8 * rng.normal(size=runs))
    return np.array(values).T


def drifting(rng, runs, processes):
    """A random walk beneath it."""
    return 0.5 * independent(rng, runs, processes) + \
        0.2 * independent(rng, runs, processes).cumsum(axis=1)


def stepping(rng, runs, processes):
    """Another level from some process on, two deviations up or down."""
    after = np.arange(processes) >= rng.uniform(0, processes, (runs, 1))
    return independent(rng, runs, processes) + 2 * rng.choice([-1, 1], (runs, 1)) * after


def heavy_tailed(rng, runs, processes):
    return rng.standard_t(2.5, (runs, processes))


def bimodal(rng, runs, processes):
    slow = rng.random((runs, processes)) < 0.3
    return 0.3 * independent(rng, runs, processes) + 2 * slow


def sticky(rng, runs, processes):
    """The same two modes, each for ten processes or so."""
    slow = [rng.random(runs) < 0.3]
    for _ in range(processes - 1):
        chance = rng.random(runs)
        slow.append(np.where(slow[-1], chance < 0.9, chance < 0.1 * 0.3 / 0.7))
    return 0.3 * independent(rng, runs, processes) + 2 * np.array(slow).T


def of_the_run(rng, runs, processes):
    """Half a deviation that all processes of a run have in common."""
    return independent(rng, runs, processes) + 0.5 * rng.normal(size=(runs, 1))


KINDS = {"independent": independent, "each remembers the one before": remembering,
         "a random walk beneath": drifting, "a step on the way": stepping,
         "heavy tails": heavy_tailed, "two modes": bimodal, "two modes, sticky": sticky,
         "a level of its own in each run": of_the_run}
