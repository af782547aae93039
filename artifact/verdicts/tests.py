# SPDX-License-Identifier: MIT
"""The tests of claims: a function each, by the name that claims.toml gives it.

To add one, write it here and put it into TESTS.
"""

import dataclasses
from collections.abc import Callable

from artifact import estimate, teams
from artifact.estimate import MARGIN, Estimate
from artifact.experiments import break_even, factorial, ladder, load, nodes
from artifact.measured import Measured
from artifact.policies import BY_ID, Policy
from artifact.samples import AnySamples, KernelSamples, Samples
from artifact.variant import Variant


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a test measured, and the cells it rests on; why that decides nothing; the arms
    that it compares, where these copy.

    word: the verdict, where it is not for one ratio and its region to say; at_edge: whether
    a repeat may well be given another one. reason: what else a reader must know of it.
    """

    measured: Estimate | None
    cells: tuple[AnySamples, ...] = ()
    doubt: str = ""
    arms: tuple[str, ...] = ()
    word: str = ""
    at_edge: bool = False
    reason: str = ""

    @property
    def routines(self) -> tuple[str, ...]:
        """What the arms copy with, each once."""
        return tuple(dict.fromkeys(Variant.parse(arm).primitive for arm in self.arms))


class Absent(Exception):
    """The run lacks what a test is made of."""


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What was measured, as the tests ask for it."""

    measured: Measured

    @property
    def machine(self) -> dict:
        return self.measured.machine

    def samples(self, experiment: str, label: str) -> Samples:
        """What was timed; Absent where this run has no such cell."""
        found = self.measured.find(experiment, label)
        if not isinstance(found, Samples):
            raise Absent(f"this run has no cell {experiment} {label}")
        return found

    def kernel_samples(self, experiment: str, label: str) -> KernelSamples:
        """What a kernel answered; Absent likewise."""
        found = self.measured.find(experiment, label)
        if not isinstance(found, KernelSamples):
            raise Absent(f"this run has no cell {experiment} {label}")
        return found

    def speedup(self, samples: Samples, arm: str, over: str) -> Finding:
        """Of one arm over another, both of which the cell must have."""
        for wanted in (arm, over):
            if wanted not in samples.seconds:
                raise Absent(f"{wanted} was not among the arms")
        return Finding(estimate.speedup(samples, arm, over), (samples,),
                       arms=(arm, over))


def without_premise(samples: Samples, arms: tuple[str, ...], gain: Estimate, why: str) -> Finding:
    """There is no gain here that the claim could be true or false of."""
    return Finding(None, (samples,), arms=arms, word="premise absent", reason=why,
                   at_edge=any(repeat.high >= 1 for repeat in gain.repeats))


def batching_over_half(e: Evidence) -> Finding:
    samples = e.samples("factorial", "1-folio")
    found = factorial.batching(samples, samples.cell.own)
    if found.threads.high < 1:
        return without_premise(samples, found.arms, found.threads, "threads gain nothing for "
                               f"batching to account for: {found.threads} of the loop's speed")
    return Finding(found.beyond_half, (samples,), arms=found.arms,
                   reason=f"threads: {found.threads} of the loop's speed")


def _long_over_short(e: Evidence, samples: Samples, primitive: str) -> Finding:
    return e.speedup(samples, *(f"serial:bulk:{primitive}:extent={size}" for size in ("2M", "4K")))


def movsb_extent(e: Evidence) -> Finding:
    return _long_over_short(e, e.samples("extent", "folio"), "movsb")


def own_extent(e: Evidence) -> Finding:
    own = e.samples("serial-ladder", "cold-cold").cell.own
    return _long_over_short(e, e.samples("extent", "folio"), own)


def unrolled_bulk(e: Evidence) -> Finding:
    found = e.speedup(e.samples("serial-ladder", "cold-cold"), "serial:bulk:unrolled",
                      "serial:page:movsq:map=2026")
    return dataclasses.replace(found, reason=_memcpy_of(e.machine["cpu"]["flags"]))


def _memcpy_of(flags: list[str]) -> str:
    """What memcpy() is in Linux 6.4 and later, which look at fsrm alone
    (arch/x86/lib/memcpy_64.S). A hypervisor may hide flags from its guests."""
    told = " and ".join(f"{' and '.join(names)} {word}" for word, names in (
        ("shown", [flag for flag in ("erms", "fsrm") if flag in flags]),
        ("hidden or lacking", [flag for flag in ("erms", "fsrm") if flag not in flags])) if names)
    return f"{told}: memcpy() is " + (
        "rep movsb here, and memcpy_orig() where fsrm is hidden" if "fsrm" in flags else
        "memcpy_orig() here")


def one_worker(e: Evidence) -> Finding:
    samples = e.samples("one-worker", "16-folio")
    own = samples.cell.own
    return e.speedup(samples, f"parallel:bulk:{own}:threads=1:caller=waits:folios=16",
                     f"serial:bulk:{own}:folios=16")


def many_threads(e: Evidence) -> Finding:
    samples = e.samples("factorial", "16-folio")
    own = samples.cell.own
    return e.speedup(samples, f"parallel:bulk:{own}:threads=8:folios=16",
                     f"serial:page:{own}:map=2017:folios=16")


def _between_placements(e: Evidence, other: str, most: int) -> Finding:
    """The same team, of at most so many threads, in two placements, each over
    its own serial copy."""
    cells = [e.samples("threads", f"{order}-16-folio") for order in ("spread", other)]
    counts = {cells[0].cell.of(arm).threads for arm in teams.teams(cells[0])}
    threads = max((n for n in counts if 1 < n <= min(8, most)), default=1)
    first = [set((samples.cell.cpus or ())[:threads]) for samples in cells]
    if first[0] == first[1]:
        raise Absent(f"teams of up to {most} threads are on the same CPUs in both placements")
    own = cells[0].cell.own
    arm, over = (f"parallel:bulk:{own}:threads={threads}:folios=16", f"serial:bulk:{own}:folios=16")
    logs = [estimate.log_speedups(samples, arm, over) for samples in cells]
    return Finding(estimate.exponential(estimate.interval(logs[0] - logs[1])),
                   tuple(cells), arms=(arm, over))


def spread_over_packed(e: Evidence) -> Finding:
    """As many threads as one last-level cache has cores."""
    cpu, last = e.machine["cpu"], e.machine["caches"][-1]
    return _between_placements(e, "packed", last["shared_by_cpus"] * cpu["cores"] // cpu["usable"])


def spread_over_siblings(e: Evidence) -> Finding:
    """No more threads than there are cores."""
    return _between_placements(e, "sibling", e.machine["cpu"]["cores"])


def sixteen_over_eight(e: Evidence) -> Finding:
    samples = e.samples("threads", "spread-1-folio")
    own = samples.cell.own
    return e.speedup(samples, *(f"parallel:bulk:{own}:threads={n}" for n in (16, 8)))


def base_pages(e: Evidence) -> Finding:
    samples = e.samples("break-even", "sizes")
    arm = break_even.smallest(samples, teams.posted(samples).id)
    return e.speedup(samples, arm, estimate.best_serial(samples, arm))


def priority_under_load(e: Evidence) -> Finding:
    samples = e.samples("posted", "100-percent")
    posted, serial = _arm(samples, BY_ID["2017"]), samples.cell.baseline
    gain = teams.mean_speedup(samples, posted, serial)
    if gain.high < 1:
        return without_premise(samples, (posted, serial), gain, "there is no speed-up to lose: with "
                               f"high priority {gain} of a serial call's mean speed")
    arms = posted, _arm(samples, BY_ID["2017-nice-0"])
    return Finding(teams.mean_speedup(samples, *arms), (samples,), arms=arms, doubt="" if
                   gain.low > 1 else f"with high priority there is no clear speed-up to lose: {gain}")


def late_workers(e: Evidence) -> Finding:
    """Of all copies of the posted policy in the one cell that observes when workers begin,
    whatever these copy with, as their start does not hang on that. (The cell posted has
    more copies of each arm, and observes nothing.)"""
    samples = e.samples("load", "200-percent")
    arms = teams.arms_of(samples, teams.posted(samples).id)
    counts = load.late_counts(samples, *arms)
    if counts is None:
        return Finding(None, (samples,), "no worker ever began")
    late, begun = counts
    return Finding(estimate.rate(late, begun), (samples,),
                   arms=(arms[0], estimate.best_serial(samples, arms[0])), reason=(
        f"{late.sum()} of {begun.sum()} copies, in {(late > 0).sum()} of {len(late)} processes"))


BUSY = {"worse": "holds", "no worse": "does not hold", "open": "inconclusive"}


def busy_time(e: Evidence) -> Finding:
    """By the mean and the tails of all copies: under load times have two peaks, and a
    median looks at one of them."""
    samples = e.samples("posted", "200-percent")
    arm = _arm(samples, BY_ID["2025"])
    margin = round(100 * MARGIN)
    ratios, found = teams.no_worse(samples, arm, margin)
    repeats = zip(*(ratio.repeats for ratio in ratios.values()))
    # What decides: the clearest of those that are worse, else the one that is least clearly not.
    deciding = max(ratios, key=lambda name: (ratios[name].low if found == "worse" else
                                             ratios[name].high))
    return Finding(ratios[deciding], (samples,), arms=(arm, estimate.best_serial(samples, arm)),
                   word=BUSY[found], at_edge=any(
                       teams.judged(repeat, margin) != found for repeat in repeats),
                   reason=f"the {deciding} decides; " + ", ".join(
                       f"{name} {ratio}" for name, ratio in ratios.items() if name != deciding))


def _best_woken(samples: Samples) -> tuple[str, str]:
    """The fastest woken team, and the serial copy that it is compared with."""
    if (arms := teams.fastest(samples, "wake")) is None:
        raise Absent("no woken team was measured")
    return arms


def cpu_time(e: Evidence) -> Finding:
    samples = e.samples("threads", "spread-16-folio")
    arms = _best_woken(samples)
    return Finding(estimate.cpu_ratio(samples, *arms), (samples,), arms=arms)


def price_of_speed(e: Evidence) -> Finding:
    samples = e.samples("threads", "spread-16-folio")
    arms = _best_woken(samples)
    logs = estimate.log_cpu_ratios(samples, *arms) - estimate.log_speedups(samples, *arms)
    return Finding(estimate.exponential(estimate.interval(logs)), (samples,), arms=arms)


def highmem_kmap(e: Evidence) -> Finding:
    high, low = (e.kernel_samples("ladder", kernel) for kernel in ("highmem", "amd64"))
    if ladder.cost(low, "cost:kmap_local") <= 0:
        raise Absent("kmap_local costs nothing in the 64-bit kernel, so there is no ratio")
    ratio = ladder.cost(high, "cost:kmap_local") / ladder.cost(low, "cost:kmap_local")
    return Finding(Estimate(ratio, ratio, ratio), (high, low))      # counted: exact


def pull_over_push(e: Evidence) -> Finding:
    pull, push = (e.samples("nodes", place) for place in ("pull", "push"))
    return Finding(nodes.pull_over_push(pull, push), (pull, push), reason=(
        f"the choice of the team flatters pulling by {nodes.choice_flatters(pull):z.2%} at most"))


def _arm(samples: Samples, policy: Policy) -> str:
    if (arm := teams.arm_of(samples, policy.id)) is None:
        raise Absent(f'the policy "{policy.label}" was skipped here')
    return arm


TESTS: dict[str, Callable[[Evidence], Finding]] = {test.__name__: test for test in (
    batching_over_half, movsb_extent, own_extent, unrolled_bulk, one_worker, many_threads,
    spread_over_packed, spread_over_siblings, sixteen_over_eight, base_pages, priority_under_load,
    late_workers, busy_time, cpu_time, price_of_speed, highmem_kmap,
    pull_over_push)}
