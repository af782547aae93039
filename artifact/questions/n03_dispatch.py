# SPDX-License-Identifier: MIT
"""03: what does it cost to hand a copy to workers, and when do they begin?"""

import dataclasses

import numpy as np

from artifact import estimate, labels, teams
from artifact.answer import Answer, with_warnings
from artifact.experiments import break_even, dispatch, load
from artifact.host import Host
from artifact.ingredients import Sizes, positive, teams_of, unique
from artifact.measured import Measured
from artifact.plan import Plan
from artifact.policies import Policy
from artifact.questions.question import Question
from artifact.samples import Samples
from artifact.sizes import format_size, spoken


@dataclasses.dataclass(frozen=True)
class Parameters:
    """primitives: serial candidates beside the routine that migration calls, and
    which the teams copy with. pauses_us: how long everybody slept before a copy.
    loads: in the background, in percent of each CPU."""

    base_page: str = "4K"
    huge_page: str = "2M"
    primitives: tuple[str, ...] = ("flushcache", "streaming")
    pauses_us: tuple[int, ...] = (0, 1000, 4000)
    loads: tuple[int, ...] = (0, 50, 100, 200)
    processes: int = 10
    rounds: int = 10


def plan(host: Host, p: Parameters) -> Plan:
    """Jobs of nothing, copies of every size, copies under load."""
    positive(processes=p.processes, rounds=p.rounds)
    crew = teams_of(host, Sizes(p.base_page, p.huge_page), p.primitives)
    empty = dispatch.cells(crew, p.pauses_us, p.processes, p.rounds)
    sizes, too_large = break_even.cells(host, crew, p.processes, p.rounds)
    loaded = load.cells(crew, p.loads, p.processes, p.rounds)
    if not crew.threads:
        return Plan((), crew.skipped)
    return Plan((*empty, *sizes, *loaded), unique((*crew.skipped, *too_large)))


def answer(measured: Measured, p: Parameters) -> Answer:
    """The time of an empty job, the break-even, how often workers come too late."""
    woken = load.ANY_CPU
    by_pause = sorted(measured.cells["dispatch"], key=dispatch.pause_us)
    empty = " and ".join(
        f"{1e6 * dispatch.empty_job_seconds(s, woken.id):.0f} us after {dispatch.pause_us(s)} us of "
        "sleep" for s in by_pause[:1] + by_pause[1:][-1:])
    sizes, = measured.cells["break-even"]
    curve = break_even.by_size(sizes, woken.id)
    posted = teams.posted(sizes)
    late = [f"{labels.percent(found.value)} at {teams.load_percent(s)} % load"
            for s in measured.cells["load"]
            if (found := load.late_share(s, *teams.arms_of(s, posted.id)))]
    page_us = 1e6 * estimate.median_seconds(sizes, break_even.smallest(sizes, posted.id))
    low, high = break_even.published_page_us()
    return Answer(with_warnings(
        f"From call to return an empty job takes {empty}{_checks(by_pause[0], woken)}. Woken workers "
        f"beside a working caller, one copy right after another, "
        f"{labels.sequences((sizes, arm) for arm in break_even.arms(sizes, woken.id).values())}, "
        f"{_pays_off(break_even.pays_from(curve))}. Under the policy "
        f"\"{posted.label}\" the best serial copy would have finished before the last worker started "
        f"in this share of the copies that any worker joined: {', '.join(late)}. A base page costs "
        f"{page_us:.1f} us that way; "
        f"{low:.1f} to {high:.1f} us were published in 2016.",
        measured.cells), {
        f"{woken.label}, over the best serial copy of {format_size(size)}": curve[size]
        for size in curve if size >= sizes.cell.folio})


def _checks(samples: Samples, policy: Policy) -> str:
    """The same by other instruments, which do not sleep in between either."""
    found = dispatch.instruments(samples)
    if dispatch.pause_us(samples) or not found:
        return ""
    empty = dispatch.empty_job_seconds(samples, policy.id)
    return " (other instruments put the former at " + "; ".join(
        f"{1e6 * seconds:.0f} us: {label}, a factor of {empty / seconds:.2f}"
        for label, seconds in found.items()) + ")"


def _pays_off(found: tuple[float, float, float]) -> str:
    """From which size on; where from none, whether repeats may find one."""
    value, low, high = (
        "the smallest size measured" if size == 0 else "never" if np.isinf(size) else spoken(size)
        for size in found)
    if not np.isinf(found[0]):
        return f"pay off from {value} [{low}, {high}]"
    return "pay off at no size measured" + (
        "" if np.isinf(found[1]) else f" (a repeat may find that they do from {low} on)")


QUESTION = Question("03-dispatch", Parameters, plan, answer, ("dispatch", "break-even", "load"))
