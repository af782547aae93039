# SPDX-License-Identifier: MIT
"""Where a run's seconds went, from what it recorded itself.

Each process tells its own, by what pagecopy did with them; the run tells how long its
stages, its kernels and its drawings took. What of a stage no process accounts for
is the files that were written and read.
"""

import itertools
from collections.abc import Iterable

from artifact import paths
from artifact.measuring import looks
from artifact.problem import Damaged, Lacking
from artifact.samples import Samples, rejected_facts

ASKED_FOR = ("samples", "pauses")       # windows of victims are samples
PARTS = (*ASKED_FOR, "waited", "pools", "start", "verify", "rest", "end")


def table(run: paths.Run, timed: Iterable[Samples]) -> list[str]:
    """A line for each experiment, for a terminal; then what was no process.

    A cell's first attempt counts as its second.

    Raises Lacking of a run that did not record where its seconds went.
    """
    rows: dict[str, list[dict[str, float]]] = {}
    for samples in timed:
        for facts in (*samples.facts, *rejected_facts(run, samples.cell)):
            rows.setdefault(samples.cell.experiment, []).append(_seconds(run, facts))
    if not rows:
        raise Lacking(f"run {run.name}", "nothing was timed in it", "run 'make reproduce' first")
    sums = {name: _added(processes) for name, processes in rows.items()}
    everything = _added(sums.values())
    whole = everything["total"]
    lines = [f"{'seconds':14} {'processes':>9}" + "".join(f"{part:>8}" for part in everything)
             + f"{'share':>7}"]
    lines += [_row(name, len(rows[name]), each, whole) for name, each in sums.items()]
    lines.append(_row("all", sum(map(len, rows.values())), everything, whole))
    return [*lines, *_besides(run, everything)]


def elapsed(run: paths.Run, timed: Iterable[Samples]) -> dict[str, float]:
    """Seconds of a whole run by experiment, also of one that recorded no others: from the
    end of one process to the end of the next, which has what happened between them.

    The first process counts nothing. Raises Damaged where a process has no uptime.
    """
    try:
        ends = sorted((facts["uptime"], samples.cell.experiment) for samples in timed
                      for facts in (*samples.facts, *rejected_facts(run, samples.cell)))
    except KeyError as error:
        raise Damaged(f"run {run.name}", "its processes do not say when they ended",
                      "measure one with this version") from error
    found: dict[str, float] = {}
    for (before, _), (end, experiment) in itertools.pairwise(ends):
        found[experiment] = found.get(experiment, 0.0) + end - before
    return found


def _seconds(run: paths.Run, facts: dict) -> dict[str, float]:
    """Of one process, by the headings; they add up to its total."""
    try:
        found = {part: facts[f"seconds_{part}"] for part in ("process", *PARTS)}
    except KeyError as error:
        raise Lacking(f"run {run.name}", "its processes did not record where their seconds went",
                      "measure one with this version") from error
    process = found.pop("process")
    # To start the program and to read what it says.
    other = process + found["waited"] - sum(found.values())
    return {**found, "other": max(other, 0.0), "total": process + found["waited"]}


def _added(each: Iterable[dict[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for seconds in each:
        for part, value in seconds.items():
            found[part] = found.get(part, 0.0) + value
    return found


def _row(name: str, processes: int, seconds: dict[str, float], whole: float) -> str:
    return f"{name:14} {processes:>9}" + "".join(f"{value:>8.1f}" for value in seconds.values()) \
        + f"{seconds['total'] / whole:>7.0%}"


def _besides(run: paths.Run, everything: dict[str, float]) -> list[str]:
    """What was no process, and what share was asked for."""
    spent = looks.spent(run)
    total, lines = everything["total"], []
    if spent.stages > total:
        between = spent.stages - total
        lines.append(f"{between:.1f} s between processes: files that were written and read")
        total += between
    else:
        lines.append("what went on between processes was not recorded")
    if spent.kernels:
        lines.append(f"{spent.kernels:.1f} s for kernels in the virtual machine")
    lines.append(f"{sum(spent.drawings):.1f} s for {len(spent.drawings)} drawings"
                 if spent.drawings else "no drawing was recorded")
    total += spent.kernels + sum(spent.drawings)
    asked = sum(everything[part] for part in ASKED_FOR)
    return [*lines, f"{asked / total:.0%} of the {total / 60:.1f} minutes recorded after set-up were "
            "samples, windows or pauses that an experiment asks for"]
