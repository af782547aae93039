# SPDX-License-Identifier: MIT
"""06: does it help to look for idle CPUs first, and what does the look cost?"""

import dataclasses

import numpy as np

from artifact import estimate, labels, teams
from artifact.answer import Answer, nanoseconds, times, with_warnings
from artifact.estimate import Estimate
from artifact.experiments import dispatch, energy, idle_scan, load
from artifact.host import Host
from artifact.ingredients import Sizes, positive, teams_of, unique
from artifact.measured import Measured
from artifact.plan import Plan
from artifact.questions.question import Question
from artifact.samples import Samples


@dataclasses.dataclass(frozen=True)
class Parameters:
    """scanned_cpus: whose states are looked at, real or not: a state is a cache
    line."""

    base_page: str = "4K"
    huge_page: str = "2M"
    primitives: tuple[str, ...] = ("flushcache", "streaming")
    scanned_cpus: tuple[int, ...] = (1, 4, 16, 64, 256)
    loads: tuple[int, ...] = (0, 50, 100, 200)
    processes: int = 10
    rounds: int = 10


def plan(host: Host, p: Parameters) -> Plan:
    """The look alone, copies under load with and without it, energy."""
    positive(processes=p.processes, rounds=p.rounds)
    for count in p.scanned_cpus:
        positive(scanned_cpus=count)
    crew = teams_of(host, Sizes(p.base_page, p.huge_page), p.primitives)
    scan = idle_scan.cells(host, crew, p.scanned_cpus, p.processes, p.rounds)
    loaded = load.cells(crew, p.loads, p.processes, p.rounds)
    joules, no_energy = energy.cells(host, crew, p.processes, p.rounds)
    if not crew.threads:
        return Plan((), crew.skipped)
    return Plan((*scan, *loaded, *joules), unique((*crew.skipped, *no_energy)))


def answer(measured: Measured, p: Parameters) -> Answer:
    """What a look costs, and how often it was true."""
    scan, = measured.cells["idle-scan"]
    hot, written = (idle_scan.ns_per_cpu(scan, how) for how in ("hot", "written"))
    headlines, phrases = {}, []
    for samples in measured.cells["load"]:
        arm, any_cpu = (teams.the_arm(samples, policy) for policy in (load.IDLE_CPU, load.ANY_CPU))
        ratio, unchecked = (teams.tail_ratio(samples, each, "mean") for each in (arm, any_cpu))
        percent, stale = teams.load_percent(samples), load.stale_share(samples, arm)
        headlines["mean time of workers on idle CPUs over the best serial copy's, "
                  f"{percent} % load"] = ratio
        phrases.append(f"at {percent} % load {times(ratio)} ({times(unchecked)} without checking), "
                       + (f"where {labels.percent(stale.value)} of the CPUs found idle were busy by "
                          "the time the work started" if stale else "where no CPU was ever idle"))
    lowest = min(measured.cells["load"], key=teams.load_percent)
    sequences = labels.sequences((samples, teams.the_arm(samples, load.IDLE_CPU))
                                 for samples in measured.cells["load"])
    return Answer(with_warnings(
        f"Checking one more CPU costs {nanoseconds(hot)} while nobody writes its state and "
        f"{nanoseconds(written)} after another CPU wrote it. {_cpus_paid_for(lowest, written)} "
        f"Mean time of a copy when only idle CPUs help, after {dispatch.pause_us(lowest)} us of sleep, "
        f"{sequences}: {'; '.join(phrases)}.",
        measured.cells), headlines)


def _cpus_paid_for(samples: Samples, per_cpu: Estimate) -> str:
    """Looks that the gain of going parallel pays for, at the lowest load."""
    percent, arm = teams.load_percent(samples), teams.the_arm(samples, load.ANY_CPU)
    ratio = teams.tail_ratio(samples, arm, "mean")
    serial_ns = 1e9 * float(np.mean(samples.seconds[estimate.best_serial(samples, arm)]))
    if ratio.high >= 1:
        return (f"At {percent} % load woken workers show no clear gain over the best serial copy of "
                "one huge page here, so no check pays off.")
    return (f"At {percent} % load the gain of woken workers pays for checking "
            f"{serial_ns * (1 - ratio.value) / max(per_cpu.value, 1e-3):.0f} CPUs.")


QUESTION = Question("06-idle-cpus", Parameters, plan, answer, ("idle-scan", "load", "energy"))
