# SPDX-License-Identifier: MIT
"""Verdicts on published claims, by intervals and the regions of claims.toml.

A claim holds where the whole interval of what was measured lies within its
region, does not hold where none of it does, and is inconclusive else, or
where the cell contradicts itself; of orderings decide() says more. Where a
claim presumes something that this machine clearly lacks, as a speed-up that
could be lost, its premise is absent.

The interval is that of every figure. It allows for a repeat of the run, and so
is 1.7 times as wide as a plain one and more. That is allowance enough for the
number of claims, too: where processes are independent it misses the mean itself less
often than once in a hundred (tests/test_estimate.py).
"""

import dataclasses
import functools
import math
import tomllib
import typing

from artifact import estimate, paths, published
from artifact.cells import KernelCell
from artifact.estimate import MARGIN, Estimate
from artifact.measured import Measured
from artifact.problem import Damaged, choose, one_line
from artifact.samples import Samples
from artifact.verdicts.tests import TESTS, Absent, Evidence

FILE = paths.PUBLISHED / "claims.toml"
JUDGED = ("holds", "does not hold", "inconclusive", "premise absent")
WORDS = (*JUDGED, "not applicable", "cited only")
SINGULARS = dict(zip(WORDS, ("holds", "does not hold", "is inconclusive",
                             "lacks its premise here", "cannot be tested here", "is only cited")))
PLURALS = dict(zip(WORDS, ("hold", "do not hold", "are inconclusive",
                           "lack their premise here", "cannot be tested here", "are only cited")))
# Beside a claim's id, where there is no room for the word.
SIGNS = dict(zip(WORDS, ("\N{CHECK MARK}", "\N{MULTIPLICATION X}", "?", "\N{EMPTY SET}", "n/a",
                         "cited")))


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
    history: tuple[str, ...] = ()       # of its region, the test and the domain
    confirmed: str = ""                 # the word of a run that was not known then

    @property
    def ours(self) -> bool:
        """A question of this package, which nobody else is credited with."""
        return self.id.startswith("O")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """word: one of WORDS. why: a doubt, else what the test adds, else the claim's band.
    cells: the ids of those it is judged by. routines: what is copied with there. at_edge:
    whether a repeat might well get another word; why says so, too."""

    claim: Claim
    word: str
    why: str
    measured: Estimate | None = None
    cells: tuple[str, ...] = ()
    routines: tuple[str, ...] = ()
    at_edge: bool = False


@functools.cache
def published_claims() -> tuple[Claim, ...]:
    """All claims in their order, our own last; Damaged where the file is not as it says."""
    try:
        stored = tomllib.loads(FILE.read_text())
        found = tuple(_claim(key, fields) for key, fields in stored.items())
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise Damaged(f"cannot read {paths.shown(FILE)}", one_line(error),
                      "restore it: git checkout data/published") from error
    for claim in found:
        if fault := _fault(claim):
            raise _damaged(claim.id, *fault)
    return found


def _claim(key: str, fields: dict[str, typing.Any]) -> Claim:
    kinds = {field.name: field.type if field.type in (str, dict) else tuple
             for field in dataclasses.fields(Claim) if field.name != "id"}
    values: dict[str, typing.Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    for name, value in values.items():
        if name not in kinds:
            raise _damaged(key, f"unknown field {name!r}", choose(name, kinds))
        if not isinstance(value, kinds[name]):
            raise _damaged(key, f"{name} = {value!r} is no {KINDS[kinds[name]]}", "make it one")
    if lacking := [name for name in ("who", "when", "says") if name not in values]:
        raise _damaged(key, f"no {lacking[0]!r}", "add it")
    return Claim(id=key, **values)


KINDS = {str: "text", dict: "table", tuple: "list"}


def _damaged(key: str, why: str, do: str) -> Damaged:
    return Damaged(f"claim {key} in {paths.shown(FILE)}", why, do)


NEEDS = {"cpus", "cores", "nodes", "llcs", "siblings", "flag", "counted"}


def _fault(claim: Claim) -> tuple[str, str] | None:
    """The first thing in a claim that cannot be, and what to do; None for nothing."""
    if claim.test and claim.test not in TESTS:
        return f"unknown test {claim.test!r}", choose(claim.test, TESTS)
    if not claim.test and not claim.why:
        return "neither a test nor a reason to have none", "give it test or why"
    for name, region in (("holds", claim.holds), ("ratio", claim.ratio)):
        if not _is_region(region) if region else name == "holds" and claim.test:
            return f"{name} is no region", f"make it {name} = [low, high]"
    for what, names, known in (("need", claim.needs, sorted(NEEDS)),
                               ("source", claim.sources + claim.answers, published.sources().index),
                               ("verdict", filter(None, [claim.confirmed]), JUDGED)):
        if unknown := [str(name) for name in names if name not in known]:
            return f"unknown {what} {unknown[0]!r}", choose(unknown[0], known)
    return None


def _is_region(ends: tuple) -> bool:
    return len(ends) == 2 and all(isinstance(end, int | float) for end in ends) and \
        ends[0] <= ends[1]


def verdicts(measured: Measured) -> list[Verdict]:
    """One for each claim, in their order. Raises Damaged where a cell is."""
    evidence = Evidence(measured)
    return [_verdict(claim, evidence) for claim in published_claims()]


def table(found: list[Verdict]) -> list[str]:
    """A line for each claim, for a terminal."""
    lines = [f"{'claim':5} {'verdict':14} {'measured':>22} {'region':>12}  what, or why not"]
    for verdict in found:
        claim, measured = verdict.claim, str(verdict.measured or "")
        region = f"{claim.holds[0]:g}..{claim.holds[1]:g}" if claim.holds else ""
        text = claim.what if verdict.measured else verdict.why
        if verdict.measured and verdict.why != claim.band:
            text += f" ({verdict.why})"
        lines.append(f"{claim.id:5} {verdict.word:14} {measured:>22} {region:>12}  {text}")
    return [*lines, tally(found)]


def tally(found: list[Verdict]) -> str:
    """How many there are of each word among the published, and what became of our own."""
    words = [verdict.word for verdict in found if not verdict.claim.ours]
    return f"Of {len(words)} claims, " + ", ".join(
        counted(words.count(word), word) for word in WORDS if word in words) + own(found)


def own(found: list[Verdict]) -> str:
    """Of each question of ours, behind what is said of the others."""
    return "".join(f"; {verdict.claim.id}, which is our own, {SINGULARS[verdict.word]}"
                   for verdict in found if verdict.claim.ours)


def counted(count: int, word: str) -> str:
    """So many verdicts of a word."""
    return f"{count} {(SINGULARS if count == 1 else PLURALS)[word]}"


def _verdict(claim: Claim, evidence: Evidence) -> Verdict:
    missing = _missing(claim, evidence.measured)
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
              if isinstance(s, Samples) and (why := doubt(s))]
    doubts += [found.doubt] if found.doubt else []
    edge = not doubts and (found.at_edge if found.word else at_edge(found.measured, claim.holds))
    word = "inconclusive" if doubts else found.word or decide(found.measured, claim.holds)
    told = doubts or [*filter(None, [found.reason]), *([EDGE] if edge else [])]
    return Verdict(claim, word, "; ".join(told) or claim.band, found.measured,
                   tuple(samples.cell.id for samples in found.cells), found.routines, edge)


def doubt(samples: Samples) -> str:
    """Why a cell decides nothing; "" where it may."""
    if samples.huge_share < 1:
        return "was not all on huge pages"
    return "finds its twin different" if estimate.contradicts_itself(samples) else ""


def decide(measured: Estimate | None, region: tuple[float, float] | None) -> str:
    """By where the whole interval lies; [1, inf] and [0, 1] claim an ordering.

    That does not hold where the whole interval is short of the margin, be 1 in
    it or not, and holds where 1 is not in it and the ratio itself is beyond the
    margin. So there is always "inconclusive" between the two. Without a ratio
    nothing is decided.
    """
    if measured is None or region is None:
        return "inconclusive"
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


EDGE = "at its edge: another run might get another verdict"


def at_edge(measured: Estimate | None, region: tuple[float, float] | None) -> bool:
    """Whether a repeat, which finds its ratio anywhere in this interval, may be judged otherwise."""
    return measured is not None and any(decide(repeat, region) != decide(measured, region)
                                        for repeat in measured.repeats)


def _missing(claim: Claim, measured: Measured) -> str:
    """What the claim's domain asks for and this machine lacks; "" for nothing."""
    cpu, needs = measured.machine["cpu"], claim.needs
    last = measured.machine["caches"][-1:] or [{"shared_by_cpus": cpu["usable"]}]
    has = {"cpus": cpu["usable"], "cores": cpu["cores"],
           "nodes": len(measured.machine["numa_nodes"]),
           "llcs": cpu["usable"] // max(1, min(last[0]["shared_by_cpus"], cpu["usable"]))}
    lacks = [f"{needs[key]} {word}, here {has[key]}" for key, word in
             (("cpus", "CPUs"), ("cores", "cores"), ("nodes", "NUMA nodes"),
              ("llcs", "last-level caches")) if needs.get(key, 0) > has[key]]
    if "flag" in needs and needs["flag"] not in cpu["flags"]:
        lacks.append(f"a CPU with {needs['flag']}")
    if needs.get("siblings") and cpu["cores"] >= cpu["usable"]:
        lacks.append("cores with two threads")
    ladder = next((cell for cell in measured.plan.experiment("ladder")
                   if cell.label == "highmem"), None)
    if needs.get("counted") and not (isinstance(ladder, KernelCell) and ladder.counted):
        lacks.append("counted instructions (make kernel-lab, without KVM)")
    return f"needs {' and '.join(lacks)}" if lacks else ""
