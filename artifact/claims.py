# SPDX-License-Identifier: MIT
"""Verdicts on published claims, by intervals and regions fixed beforehand.

A claim holds where the whole interval of what was measured lies within its
region, does not hold where none of it does, and is inconclusive else, or
where the cell failed its own check; of orderings decide() says more. The
intervals are wider than elsewhere: all tested claims together err as seldom
as one figure does (Bonferroni).
"""

import dataclasses
import functools
import math
import tomllib
from collections.abc import Callable

from artifact import drawing, estimate, figures, harm, harm_figures, in_kernel, load, machine
from artifact import paths, plan, published
from artifact.estimate import Estimate
from artifact.problem import Problem, one_line

FILE = paths.PUBLISHED / "claims.toml"
JUDGED = ("holds", "does not hold", "inconclusive")
WORDS = (*JUDGED, "not applicable", "cited only")


@dataclasses.dataclass(frozen=True)
class Claim:
    """One claim, as claims.toml tells it."""

    id: str
    who: str
    when: str
    says: str
    published: str = ""
    ratio: tuple[float, float] | None = None    # published, least and most
    test: str = ""
    what: str = ""
    holds: tuple[float, float] | None = None
    band: str = ""
    needs: dict = dataclasses.field(default_factory=dict)
    why: str = ""
    sources: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Verdict:
    """word: holds, does not hold, inconclusive, not applicable or cited only."""

    claim: Claim
    word: str
    why: str
    measured: Estimate | None = None


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a test measured, and the cells it rests on; why that decides nothing."""

    measured: Estimate | None
    cells: tuple = ()
    doubt: str = ""


@functools.cache
def claims() -> tuple[Claim, ...]:
    """All claims in their order; Problem where the file is not as it says."""
    try:
        stored = tomllib.loads(FILE.read_text())
        found = tuple(Claim(id=key, **{k: tuple(v) if isinstance(v, list) else v
                                       for k, v in fields.items()}) for key, fields in stored.items())
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise Problem(f"cannot read {paths.shown(FILE)}", one_line(error),
                      "restore it: git checkout data/published") from error
    for claim in found:
        if not _is_whole(claim):
            raise Problem(f"claim {claim.id}", "an unknown test, source or need, a test without a "
                          "region, or neither test nor why", "restore data/published/claims.toml")
    return found


NEEDS = {"cpus", "nodes", "llcs", "siblings", "flag", "counted"}


def _is_whole(claim: Claim) -> bool:
    judged = claim.test in TESTS and claim.holds is not None if claim.test else bool(claim.why)
    return judged and set(claim.needs) <= NEEDS and \
        set(claim.sources + claim.answers) <= set(published.sources().index)


class Absent(Exception):
    """The run lacks what a test is made of."""


class Evidence:
    """Everything that a run measured, by experiment and label."""

    def __init__(self, run: paths.Run, everything: plan.Plan):
        self.run = run
        self.machine = machine.load(run.machine)
        self.skipped = dict(everything.skipped)
        self.cells = {(cell.experiment, cell.label if isinstance(cell, plan.Cell) else cell.kernel):
                      cell for cell in everything.cells}
        tested = sum(bool(claim.test) and not _missing(claim, self) for claim in claims())
        self.level = 1 - (1 - estimate.LEVEL) / max(tested, 1)

    def samples(self, experiment: str, label: str):
        """What was measured; Absent where this run has no such cell."""
        if (experiment, label) not in self.cells:
            raise Absent(f"this run has no cell {experiment} {label}")
        return load.any_cell(self.run, self.cells[experiment, label])

    def speedup(self, samples: load.Samples, arm: str, over: str) -> Finding:
        for wanted in (arm, over):
            if wanted not in samples.seconds:
                raise Absent(f"{wanted} was not among the arms")
        return Finding(estimate.speedup(samples, arm, over, self.level), (samples,))


def verdicts(evidence: Evidence) -> list[Verdict]:
    """One for each claim, in their order. Raises Problem where cells are missing."""
    return [_verdict(claim, evidence) for claim in claims()]


def table(found: list[Verdict]) -> list[str]:
    """A line for each claim, for a terminal."""
    lines = [f"{'claim':5} {'verdict':14} {'measured':>22} {'region':>12}  what, or why not"]
    for verdict in found:
        claim, measured = verdict.claim, str(verdict.measured or "")
        region = f"{claim.holds[0]:g}..{claim.holds[1]:g}" if claim.test else ""
        text = claim.what if verdict.measured else verdict.why
        if verdict.word == "inconclusive" and verdict.measured and verdict.why != claim.band:
            text += f" ({verdict.why})"
        lines.append(f"{claim.id:5} {verdict.word:14} {measured:>22} {region:>12}  {text}")
    words = [verdict.word for verdict in found]
    lines.append(", ".join(f"{words.count(word)} {word}" for word in WORDS if word in words))
    return lines


def _verdict(claim: Claim, evidence: Evidence) -> Verdict:
    missing = _missing(claim, evidence)
    if not claim.test:
        return Verdict(claim, "not applicable" if missing else "cited only",
                       "; ".join(filter(None, (missing, claim.why))))
    if missing:
        return Verdict(claim, "not applicable", missing)
    try:
        found = TESTS[claim.test](evidence)
    except Absent as absent:
        return Verdict(claim, "not applicable", str(absent))
    doubts = [f"cell {s.cell.experiment} {s.cell.label} {why}" for s in found.cells
              if isinstance(s, load.Samples) and (why := doubt(s))]
    doubts += [found.doubt] if found.doubt else []
    word = "inconclusive" if doubts else decide(found.measured, claim.holds)
    return Verdict(claim, word, "; ".join(doubts) or claim.band, found.measured)


def doubt(samples: load.Samples) -> str:
    """Why a cell decides nothing; "" where it may."""
    if samples.huge_share < 1:
        return "was not all on huge pages"
    return "" if estimate.is_stable(samples) else "failed its own check"


MARGIN = 0.05       # within which a ratio is as good as 1


def decide(measured: Estimate, region: tuple[float, float]) -> str:
    """By where the whole interval lies; [1, inf] and [0, 1] claim an ordering.

    That does not hold where the whole interval is short of the margin, be 1 in
    it or not, and holds where 1 is not in it and the ratio itself is beyond the
    margin. So there is always "inconclusive" between the two.
    """
    low, high = region
    if region == (1, math.inf):
        inside = measured.low > 1 and measured.value >= 1 + MARGIN
        outside = measured.high < 1 + MARGIN
    elif region == (0, 1):
        inside = measured.high < 1 and measured.value <= 1 - MARGIN
        outside = measured.low > 1 - MARGIN
    else:
        inside = low <= measured.low and measured.high <= high
        outside = measured.high < low or measured.low > high
    return "holds" if inside else "does not hold" if outside else "inconclusive"


def _missing(claim: Claim, evidence: Evidence) -> str:
    """What the claim's domain asks for and this machine lacks; "" for nothing."""
    cpu, needs = evidence.machine["cpu"], claim.needs
    last = evidence.machine["caches"][-1:] or [{"shared_by_cpus": cpu["usable"]}]
    has = {"cpus": cpu["usable"], "nodes": len(evidence.machine["numa_nodes"]),
           "llcs": cpu["usable"] // max(1, min(last[0]["shared_by_cpus"], cpu["usable"]))}
    lacks = [f"{needs[key]} {word}, here {has[key]}" for key, word in
             (("cpus", "CPUs"), ("nodes", "NUMA nodes"), ("llcs", "last-level caches"))
             if needs.get(key, 0) > has[key]]
    if "flag" in needs and needs["flag"] not in cpu["flags"]:
        lacks.append(f"a CPU with {needs['flag']}")
    if needs.get("siblings") and cpu["cores"] >= cpu["usable"]:
        lacks.append("cores with two threads")
    ladder = evidence.cells.get(("ladder", "highmem"))
    if needs.get("counted") and (ladder is None or ladder.unit != "instructions"):
        lacks.append("counted instructions (make kernel-lab, without KVM)")
    return f"needs {' and '.join(lacks)}" if lacks else ""


def batching_share(e: Evidence) -> Finding:
    samples = e.samples("factorial", "1-folio")
    found = figures.batching_share(samples, drawing.own_primitive(samples), "spin", e.level)
    return Finding(found, (samples,), "" if found else "threads gain nothing clear here that "
                   "batching could have a share of")


def _long_over_short(e: Evidence, samples: load.Samples, primitive: str) -> Finding:
    return e.speedup(samples, *(f"serial:bulk:{primitive}:extent={size}" for size in ("2M", "4K")))


def movsb_extent(e: Evidence) -> Finding:
    return _long_over_short(e, e.samples("extent", "folio"), "movsb")


def own_extent(e: Evidence) -> Finding:
    own = drawing.own_primitive(e.samples("serial-ladder", "cold-cold"))
    return _long_over_short(e, e.samples("extent", "folio"), own)


def unrolled_bulk(e: Evidence) -> Finding:
    return e.speedup(e.samples("serial-ladder", "cold-cold"), "serial:bulk:unrolled",
                     "serial:page:movsq:map=2026")


def one_worker(e: Evidence) -> Finding:
    samples = e.samples("one-worker", "16-folio")
    own = drawing.own_primitive(samples)
    return e.speedup(samples, f"parallel:bulk:{own}:threads=1:caller=waits:folios=16",
                     f"serial:bulk:{own}:folios=16")


def many_threads(e: Evidence) -> Finding:
    samples = e.samples("factorial", "16-folio")
    own = drawing.own_primitive(samples)
    return e.speedup(samples, f"parallel:bulk:{own}:threads=8:folios=16",
                     f"serial:page:{own}:map=2017:folios=16")


def _between_placements(e: Evidence, other: str, most: int) -> Finding:
    """The same team, of at most so many threads, in two placements, each over
    its own serial copy."""
    cells = [e.samples("threads", f"{order}-16-folio") for order in ("spread", other)]
    counts = {int(plan.fields(arm)["threads"]) for arm in harm.teams(cells[0])}
    threads = max((n for n in counts if 1 < n <= min(8, most)), default=1)
    first = [set(samples.cell.option("cpus").split(",")[:threads]) for samples in cells]
    if first[0] == first[1]:
        raise Absent(f"teams of up to {most} threads are on the same CPUs in both placements")
    own = drawing.own_primitive(cells[0])
    arm, over = (f"parallel:bulk:{own}:threads={threads}:folios=16", f"serial:bulk:{own}:folios=16")
    logs = [estimate.log_speedups(samples, arm, over) for samples in cells]
    return Finding(estimate.exponential(estimate.interval(logs[0] - logs[1], e.level)), tuple(cells))


def spread_over_packed(e: Evidence) -> Finding:
    """As many threads as one last-level cache has cores."""
    cpu, last = e.machine["cpu"], e.machine["caches"][-1]
    return _between_placements(e, "packed", last["shared_by_cpus"] * cpu["cores"] // cpu["usable"])


def spread_over_siblings(e: Evidence) -> Finding:
    """No more threads than there are cores."""
    return _between_placements(e, "sibling", e.machine["cpu"]["cores"])


def sixteen_over_eight(e: Evidence) -> Finding:
    samples = e.samples("threads", "spread-1-folio")
    own = drawing.own_primitive(samples)
    return e.speedup(samples, *(f"parallel:bulk:{own}:threads={n}" for n in (16, 8)))


def base_pages(e: Evidence) -> Finding:
    samples = e.samples("break-even", "sizes")
    posted = harm.posted(samples)
    arm = min((a for a in harm.teams(samples) if plan.policy(a) == posted),
              key=lambda a: harm.work_bytes(a, harm.folio(samples)))
    return e.speedup(samples, arm, estimate.best_serial(samples, arm))


def priority_under_load(e: Evidence) -> Finding:
    samples = e.samples("posted", "100-percent")
    posted = _arm(samples, _policy("2017"))
    # Asked and not judged, as in estimate.share(): at the level of a figure.
    gain = estimate.speedup(samples, posted, samples.cell.variants[0])
    found = e.speedup(samples, posted, _arm(samples, harm_figures.ANY_CPU))
    return found if gain.low > 1 else dataclasses.replace(
        found, doubt=f"with high priority there is no clear speed-up to lose: {gain}")


def late_workers(e: Evidence) -> Finding:
    samples = e.samples("load", "200-percent")
    found = harm.late_share(samples, _arm(samples, harm.posted(samples)), e.level)
    return Finding(found, (samples,), "" if found else "no worker ever began")


def busy_time(e: Evidence) -> Finding:
    samples = e.samples("posted", "200-percent")
    return e.speedup(samples, samples.cell.variants[0], _arm(samples, _policy("2025")))


def _best_woken(samples: load.Samples) -> tuple[str, str]:
    """The fastest woken team, and the serial copy that it is compared with."""
    best = estimate.best_serial(samples)
    arm = harm.fastest_team(samples, "wake", best)
    if arm is None:
        raise Absent("no woken team was measured")
    return arm, best


def cpu_time(e: Evidence) -> Finding:
    samples = e.samples("threads", "spread-16-folio")
    return Finding(estimate.cpu_ratio(samples, *_best_woken(samples), e.level), (samples,))


def price_of_speed(e: Evidence) -> Finding:
    samples = e.samples("threads", "spread-16-folio")
    arms = _best_woken(samples)
    logs = estimate.log_cpu_ratios(samples, *arms) - estimate.log_speedups(samples, *arms)
    return Finding(estimate.exponential(estimate.interval(logs, e.level)), (samples,))


def highmem_kmap(e: Evidence) -> Finding:
    high, low = (e.samples("ladder", kernel) for kernel in ("highmem", "amd64"))
    ratio = in_kernel.cost(high, "cost:kmap_local") / in_kernel.cost(low, "cost:kmap_local")
    return Finding(Estimate(ratio, ratio, ratio), (high, low))      # counted: exact


def _policy(year: str) -> str:
    """The label of the series posted in that year."""
    return next(label for label in plan.POLICIES if label.startswith(year))


def _arm(samples: load.Samples, label: str) -> str:
    if (arm := harm.arm_of(samples, label)) is None:
        raise Absent(f'the policy "{label}" was skipped here')
    return arm


TESTS: dict[str, Callable[[Evidence], Finding]] = {test.__name__: test for test in (
    batching_share, movsb_extent, own_extent, unrolled_bulk, one_worker, many_threads,
    spread_over_packed, spread_over_siblings, sixteen_over_eight, base_pages, priority_under_load,
    late_workers, busy_time, cpu_time, price_of_speed, highmem_kmap)}


@dataclasses.dataclass(frozen=True)
class Demand:
    """What a reviewer asked for, and which figures answer it."""

    id: str
    who: str
    weight: str
    asks: str
    figures: tuple[str, ...] = ()
    why: str = ""


@functools.cache
def demands() -> tuple[Demand, ...]:
    """All demands in their order; Problem where the file is not as it says."""
    path = paths.PUBLISHED / "demands.toml"
    try:
        stored = tomllib.loads(path.read_text())
        found = tuple(Demand(id=key, **{**fields, "figures": tuple(fields.get("figures", ()))})
                      for key, fields in stored.items())
    except (OSError, ValueError, TypeError) as error:
        raise Problem(f"cannot read {paths.shown(path)}", one_line(error),
                      "restore it: git checkout data/published") from error
    return found


def coverage_lines(drawn: set[str], skipped: dict[str, str]) -> list[str]:
    """The same for a terminal."""
    return [f"{demand.id:4} {demand.weight}  {demand.asks} ({demand.who}): {answer}"
            for demand, answer in coverage(drawn, skipped)]


def coverage(drawn: set[str], skipped: dict[str, str]) -> list[tuple[Demand, str]]:
    """Each demand with the figures that answer it in a run, or why none does."""
    rows = []
    for demand in demands():
        here = [name for name in demand.figures if name in drawn]
        absent = [name for name in demand.figures if name not in drawn]
        texts = [", ".join(here), f"not drawn here: {', '.join(absent)}" if absent else ""]
        reasons = [f"{what}: {why}" for what, why in skipped.items()
                   if any(name in what for name in absent)]
        rows.append((demand, "; ".join(filter(None, [*texts, *reasons, demand.why]))))
    return rows
