# SPDX-License-Identifier: MIT
"""All that is drawn of a run, and report.html: the answers, the figures, and what they
rest on, in one file."""

import collections
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from pathlib import Path

from artifact import (
    drawing,
    execution,
    glossary,
    headline,
    kept,
    likeness,
    machine,
    measured,
    paths,
    planning,
    published,
    rendering,
    steps,
)
from artifact.measured import Measured
from artifact.problem import Lacking, Problem
from artifact.questions import QUESTIONS
from artifact.questions.question import Question
from artifact.verdicts import as_json, changelog, claims, demands
from artifact.verdicts.tests import Absent, Evidence

NEEDS_OTHERS = "needs-the-other-notebooks"      # tag of a cell


def draw(run: paths.Run, say: Callable[[str], None], quick: bool = False) -> None:
    """The notebooks, side by side as they only read, then the report.

    quick: see execution.quick_look.
    Each file is replaced when the new one is whole: what fails or is interrupted
    leaves the others. Raises Lacking where another process draws the run.
    """
    stopped, begun = threading.Event(), threading.Event()
    others: list[Future] = []

    def before_cell(cell: dict, **_) -> None:
        # Which demands the figures of the others answer, is asked for in one such cell.
        if NEEDS_OTHERS in cell["metadata"].get("tags", ()):
            begun.wait()
            wait(others)
        if stopped.is_set():
            raise CancelledError

    def execute(question: Question) -> None:
        execution.execute(question, run, planning.of_run(question, run), before_cell)

    with paths.writing(run.drawn):
        try:
            lock = paths.locked(run.drawn / ".drawing.lock", blocking=False)
        except BlockingIOError as error:
            raise Lacking(f"cannot draw run {run.name}", "another process is drawing it",
                          "wait until it is done") from error
    # One more than CPUs: a kernel that starts or ends waits for the most part.
    look = execution.quick_look() if quick else contextlib.nullcontext()
    with lock, look, ThreadPoolExecutor(len(machine.usable_cpus()) + 1) as pool:
        say(f"drawing {', '.join(QUESTIONS)}")
        try:
            # The longest first. One that waits for the others leaves a thread to them.
            every = [(question, pool.submit(execute, question)) for question in sorted(
                QUESTIONS.values(), key=execution.length, reverse=True)]
            others += [future for question, future in every if question.own_cells]
            begun.set()
            for _, future in every:
                future.result()
            write(run)
        except BaseException:
            stopped.set()       # the threads cannot be interrupted
            begun.set()
            raise


def write(run: paths.Run) -> Path:
    """Makes the report from what the notebooks kept; no network is needed to
    read it, and it can be mailed as it is."""
    parts = {name: kept.read(run, name) for name in QUESTIONS}
    shown = kept.shown(run)
    for name, part in parts.items():
        part["title"] = execution.title(QUESTIONS[name])
        for figure in part["figures"]:
            figure["png"] = rendering.embedded(run.figures / f"{figure['file']}.png")
        for figure in part["borrowed"]:
            figure["png"] = rendering.embedded(paths.rendered_picture(figure["file"]))
    everything = measured.of(run)
    verdicts = claims.verdicts(everything)
    text = changelog.text(everything, verdicts)
    paths.write_atomically(run.drawn / "changelog.txt", text.encode("ascii"))
    paths.write_atomically(run.drawn / "claims.json", as_json.text(everything, verdicts).encode())
    coverage = demands.coverage(shown, dict(everything.plan.skipped))
    figures = [figure for part in parts.values() for figure in part["figures"]]
    rests_on = _rests_on(verdicts, figures)
    for figure in figures:
        figure["answers"] = [demand.id for demand, _ in coverage if figure["file"] in demand.figures]
        figure["answers"] += [key for key, files in rests_on.items() if figure["file"] in files]
    html = rendering.environment().get_template("report.html.j2").render(
        run=run, parts=parts, verdicts=verdicts, rests_on=rests_on, changelog=text, fewest=steps.FEWEST,
        skipped=dict.fromkeys((what, why) for part in parts.values()
                              for what, why in part["skipped"]),
        # Notebooks share cells: each is shown once.
        cells={cell["cell"]: cell for part in parts.values() for cell in part["cells"]}.values(),
        kernels={cell["cell"]: cell for part in parts.values()
                 for cell in part["kernels"]}.values(),
        short=claims.SIGNS, tally=claims.tally(verdicts),
        drawn=shown, coverage=coverage,
        facts=_flat(everything.machine), machine=everything.machine,
        summary=machine.summary(everything.machine),
        words=glossary.WORDS, request=published.REQUEST, sources=published.sources(),
        provisional=everything.provisional,
        mixture=measured.mixture(everything.timed),
        **_first_screen(run, everything))
    paths.write_atomically(run.report, glossary.in_html(html).encode())
    return run.report


def _rests_on(verdicts: list[claims.Verdict], figures: list[dict]) -> dict[str, list[str]]:
    """The figures with the cells that a claim is judged by, by the claim's id."""
    return {verdict.claim.id: [figure["file"] for figure in figures
                               if set(figure["cells"]) & set(verdict.cells)]
            for verdict in verdicts}


def _first_screen(run: paths.Run, everything: Measured) -> dict:
    """The answers in brief, and the picture of them; empty where the run has no ladder."""
    try:
        evidence = Evidence(everything)
        rows, cards = headline.rows(evidence), headline.cards(evidence)
    except Absent:
        return {"headline": "", "headline_alt": "", "cards": [], "command": [], "nearest": None,
                "quality": headline.quality(everything.timed, [])}
    file = run.figures / "headline.png"
    drawing.save(headline.figure(rows), file)
    return {"headline": rendering.embedded(file), "headline_alt": headline.described(rows),
            "cards": cards, "command": changelog.command(evidence),
            "nearest": _nearest(run, everything.machine, rows),
            "quality": headline.quality(everything.timed, [card.ratio for card in cards])}


def _nearest(run: paths.Run, record: dict, rows: list[headline.Row]) -> dict | None:
    """The recorded run of the nearest machine, in what that differs, and its ratios beside
    ours; None where there is none. One that cannot be read is no reason to have no report."""
    other = None
    try:
        if (other := likeness.nearest(run)) is None:
            return None
        theirs = measured.of(other)
        pairs = headline.beside(rows, headline.rows(Evidence(theirs)))
        records = {"here": record, "there": theirs.machine}
    except (Absent, Problem) as why:
        return {"name": other.full_name if other else "recorded", "why": str(why)}
    return {"name": other.full_name, "why": "", "summary": machine.summary(theirs.machine),
            "alike": likeness.are_alike(records.values()), "pairs": pairs,
            "tally": collections.Counter(pair.told for pair in pairs),
            "differ": likeness.differences({name: likeness.facts(each)
                                            for name, each in records.items()})}


def _flat(record: dict, prefix: str = "") -> list[tuple[str, str]]:
    """A nested record as dotted names and texts, for a table."""
    rows = []
    for key, value in record.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, dict):
            rows += _flat(value, f"{name}: ")
        elif isinstance(value, list):
            texts = [", ".join(f"{k} {v}" for k, v in item.items()) if isinstance(item, dict)
                     else str(item) for item in value]
            rows.append((name, ("; " if value and isinstance(value[0], dict) else " ").join(texts)))
        else:
            rows.append((name, str(value) if value != "" else "not known"))
    return rows
