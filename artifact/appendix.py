# SPDX-License-Identifier: MIT
"""ARTIFACT.md, the appendix that evaluators read: each of its numbers is from a recorded
run, and it is made by the command that makes the rendered notebooks."""

import dataclasses
import math
from collections.abc import Iterable

from artifact import badge, estimate, execution, machine, measured, paths, planning, profile, rendering
from artifact.cells import PROTOCOL
from artifact.estimate import Estimate
from artifact.measured import Measured
from artifact.measuring import MINUTES, outlook
from artifact.problem import Damaged
from artifact.questions import QUESTIONS
from artifact.samples import Samples
from artifact.verdicts import claims
from artifact.verdicts.claims import Claim, Verdict

FILE = paths.ROOT / "ARTIFACT.md"
WORDS_A_MINUTE = 200        # of somebody who reads with care
NONE = "\N{EM DASH}"


@dataclasses.dataclass(frozen=True)
class Expected:
    """A ratio in each recorded run, None where it has none. alike: whether the run's arms
    are those of now: others' ratios have the same name, and are of other copies."""

    name: str
    ratios: tuple[Estimate | None, ...]
    alike: tuple[bool, ...]

    @property
    def spread(self) -> str:
        """Where the intervals of such runs together reach from and to; of all, where none has it."""
        found = [ratio for ratio, alike in zip(self.ratios, self.alike) if ratio and alike] or \
            [ratio for ratio in self.ratios if ratio]
        low, high = (f"{limit:.2f}" for limit in (min(ratio.low for ratio in found),
                                                  max(ratio.high for ratio in found)))
        return low if low == high else f"{low} to {high}"


@dataclasses.dataclass(frozen=True)
class Tested:
    """A claim of which some recorded run has a ratio, its verdict in each, and by which experiments."""

    claim: Claim
    words: tuple[str, ...]
    expected: Expected
    experiments: tuple[str, ...]

    @property
    def region(self) -> str:
        """Where the whole interval must lie, in words."""
        low, high = self.claim.holds or (0, math.inf)
        return f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"


@dataclasses.dataclass(frozen=True)
class Effort:
    """An experiment in the recorded runs: minutes in each, bytes of its largest pools."""

    experiment: str
    notebooks: tuple[str, ...]
    cells: int
    minutes: tuple[float, ...]
    pools: int


def write() -> None:
    """Raises as text() does, and Unwritable."""
    paths.write_atomically(FILE, text().encode())


def text() -> str:
    """The page, of all recorded runs; Damaged where there is none, or one is not whole."""
    runs = [measured.of(paths.run(name)) for name in paths.recorded_runs()]
    if not runs:
        raise Damaged("no recorded run", "data/recorded is empty", "git checkout data/recorded")
    found = [claims.verdicts(run) for run in runs]
    environment = rendering.environment(html=False)
    environment.filters.update(cell=_cell, source=_source,
                               mib=lambda size: math.ceil(size / (1 << 20)))
    return environment.get_template("appendix.md.j2").render(
        runs=runs, machines=len({machine.kind(run.machine) for run in runs}), absent=NONE,
        years=sorted({verdict.claim.when[:4] for verdict in found[0]} - {""}),
        pace=WORDS_A_MINUTE, margin=estimate.MARGIN, tallies=list(map(claims.tally, found)),
        published=sum(not verdict.claim.ours for verdict in found[0]),
        tested=list(_tested(runs, found)), untested=_untested(found),
        expected=_expected(runs), others=[run for run in runs if not _is_of_now(run)],
        efforts=_efforts(runs), whole=[sum(profile.elapsed(run.run, run.timed).values()) / 60
                                       for run in runs],
        titles={name: execution.title(question) for name, question in QUESTIONS.items()},
        parameters={name: planning.defaults(question) for name, question in QUESTIONS.items()},
        needs=_needs(), most_minutes=MINUTES,
        reading=_reading(runs[0], found[0]), sizes=[_bytes(run.run) for run in runs],
        room=outlook.ROOM_BYTES, level=estimate.LEVEL, zip=zip,
        evidence={check.__name__: badge.evidence(check) for check in (
            badge.archived, badge.licence, badge.data_licence, badge.pinned,
            badge.recorded_machine)},
        facts=[run.machine for run in runs],
        skipped=dict.fromkeys(what for run in runs for what in run.plan.skipped))


def _tested(runs: list[Measured], found: list[list[Verdict]]) -> Iterable[Tested]:
    experiments = {cell.id: cell.experiment for run in runs for cell in run.plan.cells}
    alike = tuple(map(_is_of_now, runs))
    for verdicts in zip(*found, strict=True):
        measured_by = [verdict.cells for verdict in verdicts if verdict.measured]
        if measured_by:
            claim = verdicts[0].claim
            yield Tested(claim, tuple(verdict.word for verdict in verdicts), Expected(
                claim.what, tuple(verdict.measured for verdict in verdicts), alike),
                tuple(dict.fromkeys(experiments[cell] for cell in measured_by[0])))


def _is_of_now(run: Measured) -> bool:
    """Whether its arms copy as those of the same name do now."""
    return all(samples.cell.protocol == PROTOCOL for samples in run.timed)


def _untested(found: list[list[Verdict]]) -> list[Verdict]:
    """Those of which no recorded run has a ratio, with the first one's reason."""
    return [verdicts[0] for verdicts in zip(*found, strict=True)
            if not any(verdict.measured for verdict in verdicts)]


def _expected(runs: list[Measured]) -> dict[str, list[Expected]]:
    """The ratios that the notebooks' answers rest on, by the notebook."""
    answers = [planning.answered(run) for run in runs]
    alike = tuple(map(_is_of_now, runs))
    found = {}
    for name in QUESTIONS:
        each = [answer[name].headlines if name in answer else {} for answer in answers]
        keys = dict.fromkeys(key for headlines in each for key in headlines)
        if keys:
            found[name] = [Expected(key, tuple(headlines.get(key) for headlines in each), alike)
                           for key in keys]
    return found


def _efforts(runs: list[Measured]) -> list[Effort]:
    minutes = [profile.elapsed(run.run, run.timed) for run in runs]
    timed: dict[str, list[Samples]] = {}
    for run in runs:
        for samples in run.timed:
            timed.setdefault(samples.cell.experiment, []).append(samples)
    return [Effort(
        name, tuple(notebook for notebook, question in QUESTIONS.items()
                    if name in question.experiments),
        len({samples.cell.label for samples in found}),
        tuple(each.get(name, 0.0) / 60 for each in minutes),
        max(2 * facts["pool_bytes"] for samples in found for facts in samples.facts))
        for name, found in timed.items()]


def _reading(run: Measured, found: list[Verdict]) -> dict[str, int]:
    """Minutes that a person needs for each page that the workflow gives them."""
    def minutes(words: str) -> int:
        return math.ceil(len(words.split()) / WORDS_A_MINUTE)
    readme = (paths.ROOT / "README.md").read_text()
    return {"begin": minutes(readme.partition("\n## ")[0]),
            "answers": minutes(" ".join(a.sentence for a in planning.answered(run).values())),
            "claims": minutes("\n".join(claims.table(found)))}


def _needs() -> str:
    """The README's paragraph; Damaged where it is gone."""
    _, begins, rest = (paths.ROOT / "README.md").read_text().partition("**You need** ")
    if not begins:
        raise Damaged("README.md", "no paragraph says what you need", "git checkout README.md")
    return rest.partition("\n\n")[0]


def _bytes(run: paths.Run) -> int:
    return sum(path.stat().st_size for path in run.measured.rglob("*") if path.is_file())


def _source(claim: Claim) -> str:
    return _cell(", ".join(filter(None, (claim.who, claim.when))))


def _cell(value: object) -> str:
    """A text within a table of Markdown."""
    return " ".join(str(value).split()).replace("|", "\\|")
