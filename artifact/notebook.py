# SPDX-License-Identifier: MIT
"""A notebook at work: parameters in, figures, answer and frames out."""

import ast
import functools
import typing
from collections.abc import Callable

import numpy as np
import pandas as pd

from artifact import (
    drawing,
    estimate,
    frames,
    kept,
    machine,
    measured,
    paths,
    planning,
    sharpness,
    steps,
)
from artifact.answer import Answer
from artifact.cells import Skipped
from artifact.measured import Measured
from artifact.measuring import passes
from artifact.measuring.progress import InNotebook
from artifact.plan import Plan, missing
from artifact.problem import Misuse, one_line
from artifact.questions import find
from artifact.samples import KernelSamples, Samples

# Of a notebook that a run was measured without.
NOT_IN_RUN = (("this notebook", "not in this run"),)


class Notebook:
    """Opened in the notebook's first cell, asked for figures after.

    ``namespace`` is the notebook's globals(): its parameters are taken from
    there and checked, those that papermill injected included.
    """

    def __init__(self, name: str, namespace: dict):
        self.question = find(name)
        self.run, self.parameters = _parameters(self.question, namespace)
        self.key = planning.key_of(self.question, self.run, self.parameters)
        self.drawn: list[dict] = []
        self.tables: list[dict] = []
        self.borrowed: list[dict] = []
        self.plan, self.measures = self._planned()
        # Read now: what is damaged is told before the first figure.
        self.measured = self._read()
        for line in measured.mixture(self.measured.timed):
            print(f"mixed run: {line}")

    def figure(self, name: str, draw: Callable, caption: str, **options: typing.Any) -> None:
        """Draws an experiment's figure, shows it and keeps it as PNG and SVG. Its alternative
        text is the docstring of ``draw``.

        name: EXPERIMENT, or EXPERIMENT:NAME where it has another name; A+B:NAME where
        it is of two experiments. options go to ``draw`` after the samples.
        """
        from IPython.display import Image, Markdown, display

        file, found = self._asked(name)
        if not found:
            return
        fig = draw(found, **options)
        box = drawing.write_below(fig, self._footer(found)).padded(0.1)
        for ending in ("png", "svg"):
            path = self.run.figures / f"{file}.{ending}"
            if ending in paths.PICTURES:
                drawing.save(fig, path, box)
            else:
                path.unlink(missing_ok=True)
        # What was saved, not drawn a third time; at the size of the screen.
        display(Image(filename=str(self.run.figures / f"{file}.png"), embed=True,
                      width=int(box.width * fig.dpi), alt=_shows(draw)))
        drawing.pyplot().close(fig)
        display(Markdown(f"*{caption}*"))
        self.drawn.append({"file": file, "caption": caption,
                           "shows": _shows(draw), "function": f"{draw.__module__}.{draw.__name__}",
                           "cells": [samples.cell.id for samples in found]})

    def table(self, name: str, make: Callable, caption: str) -> None:
        """Shows numbers as a table and keeps them: as figure(), but ``make`` returns a
        frame of texts."""
        from IPython.display import Markdown, display

        file, found = self._asked(name)
        if not found:
            return
        rows = make(found)
        display(Markdown(frames.as_markdown(rows)))
        display(Markdown(f"*{caption}*"))
        self.tables.append({"file": file, "caption": caption, "columns": list(rows.columns),
                            "rows": rows.to_numpy().tolist()})

    def _asked(self, name: str) -> tuple[str, list]:
        """The name under which a drawing is kept, and the samples for it. Where some are
        missing it says so and returns none."""
        from IPython.display import Markdown, display

        experiments, _, own_name = name.partition(":")
        groups = {each: self.samples(each) for each in experiments.split("+")}
        lacking = [each for each, found in groups.items() if not found]
        file = own_name or experiments
        if not lacking:
            return file + self.key.removeprefix(self.question.notebook), [
                samples for found in groups.values() for samples in found]
        why = self._why_not(lacking[0])
        display(Markdown(f"*Figure {name} is skipped: {why}.*"))
        if self.run.may_measure and lacking[0] not in self.measured.not_yet:
            self._borrow(file, why)
        return file, []

    def _borrow(self, file: str, why: str) -> None:
        """Shows what another machine recorded in place of what cannot be measured here."""
        from IPython.display import Image, Markdown, display

        picture = paths.rendered_picture(file)
        if not picture.exists():
            return
        from_run = paths.recorded_runs()[0]
        display(Image(filename=str(picture), embed=True, alt=f"{file} of the run {from_run}"))
        display(Markdown(f"*From another machine: {file}, as recorded in {from_run}.*"))
        self.borrowed.append({"file": file, "run": from_run, "why": why})

    def samples(self, experiment: str) -> list:
        """Those of an experiment, in the order of its cells; none, where it was skipped.
        What is missing is measured first."""
        wanted = [cell for cell in self.plan.cells if cell.experiment == experiment]
        if self.measures and missing(self.run, wanted):
            passes.measure(self.run, wanted, lambda line: print(line, flush=True),
                           shown=InNotebook)
            self.measured = self._read()
        return self.measured.cells.get(experiment, [])

    def frame(self, experiment: str, channel: str = "") -> pd.DataFrame:
        """The samples of an experiment, one row each, in columns with units.

        channel: instead one row for each value of that channel, as "wait" or
        "copy"; "counts": one row for each process, with what it counted.
        """
        found = self.samples(experiment)
        if not found:
            raise Misuse(f"no experiment {experiment!r}", self._why_not(experiment),
                         f"choose from {', '.join(self.measured.cells) or 'none'}")
        if not channel:
            return frames.samples_frame(found)
        return frames.counts_frame(found) if channel == "counts" else \
            frames.channel_frame(found, channel)

    def answer(self) -> None:
        """Shows the answer, and keeps it with what it rests on for the report."""
        from IPython.display import Markdown, display

        for experiment in self.question.experiments:
            self.samples(experiment)
        values = planning.as_values(self.question, self.parameters)
        found = self.question.answered(self.measured, values) if self.measured.plan.cells else \
            Answer(f"Nothing could be measured here: {self.reasons()}.", {})
        display(Markdown(f"**{found.sentence}**"))
        timed = self.measured.timed
        kept.write(self.run, self.key, {
            "answer": found.sentence,
            "parameters": {"run": self.run.name, **self.parameters},
            "modified": self.changes,
            "figures": self.drawn,
            "tables": self.tables,
            "borrowed": self.borrowed,
            "skipped": self.measured.plan.skipped,
            "provisional": self.measured.provisional,
            "cells": list(map(_cell_row, timed)),
            "kernels": [_kernel_row(samples) for group in self.measured.cells.values()
                        for samples in group if isinstance(samples, KernelSamples)],
        })

    def skipped(self) -> None:
        """Shows what this machine could not measure, and why."""
        from IPython.display import Markdown, display

        lines = [f"- {what}: {why}" for what, why in self.measured.plan.skipped] or ["- nothing"]
        display(Markdown("\n".join(lines)))

    def reasons(self) -> str:
        """Why something is missing, as one text."""
        return _told(self.measured.plan.skipped) or "no cells"

    @functools.cached_property
    def changes(self) -> list[str]:
        """Parameters that are not the run's own, as NAME=VALUE."""
        return [f"{key}={value}" for key, value in
                planning.changes(self.question, self.run, self.parameters).items()]

    def _planned(self) -> tuple[Plan, bool]:
        """What there is to show, and whether what is missing of it is measured."""
        if not self.question.own_cells:
            planning.as_values(self.question, self.parameters)      # checks them
            return Plan((), ()), False
        entry = planning.stored(self.run, self.question, self.parameters)
        if entry:
            return entry.plan, False
        if not self.run.may_measure or paths.ONLY_DRAWS:
            if self.key == self.question.notebook:
                return Plan((), NOT_IN_RUN), False
            raise Misuse(f"recorded run {self.run.name}", "it was recorded with other parameters "
                         f"than {' '.join(self.changes)}",
                         "use a run of your own to change a parameter")
        return planning.planned(self.run, [(self.question, self.parameters)]), True

    def _read(self) -> Measured:
        return Measured(self.run, self.plan) if self.question.own_cells else measured.of(self.run)

    def _why_not(self, experiment: str) -> str:
        if experiment not in self.question.experiments and self.question.own_cells:
            raise Misuse(f"no experiment {experiment!r}",
                         f"{self.question.notebook} has no cells of it",
                         f"choose from {', '.join(self.question.experiments)}")
        return _told(self.measured.plan.skipped) or "not in this run"

    def _footer(self, found: list) -> str:
        """What a figure rests on: where it was measured, and how well it repeats."""
        changed = "; modified: " + " ".join(self.changes) if self.changes else ""
        if isinstance(found[0], KernelSamples):
            return f"run {self.run.name}: " + "\n".join(map(_origin, found)) + changed
        ratios = [estimate.same_kernel_ratio(s) for s in found]
        same = (f"the same routine twice differs by at most "
                f"{max(max(abs(r.high - 1), abs(1 - r.low)) for r in ratios):.1%}")
        huge = min(s.huge_share for s in found)
        backing = "" if huge == 1 else f"; HUGE PAGES BEHIND ONLY {huge:.0%} OF THE BUFFERS"
        return (f"run {self.run.name}: {machine.summary(self.measured.machine)}\n"
                f"{same}{backing}{_provisional(found)}{_draft(found)}{changed}{_steps(found)}")


def _parameters(question, namespace: dict) -> tuple[paths.Run, planning.Parameters]:
    """The run, and its own parameters with what the reader or papermill chose.

    The notebook's own cell is no source of defaults: what in it is as this
    version has it was not chosen by anybody.
    """
    own = planning.defaults(question)
    known = {"run", *own}
    assigned = _assigned(namespace["In"], known) if "In" in namespace else \
        dict.fromkeys(known & set(namespace), False)
    chosen = {key: namespace[key] for key, injected in assigned.items() if key in namespace
              and (injected or key not in own or namespace[key] != own[key])}
    name = chosen.pop("run", paths.DEFAULT_RUN)
    if not isinstance(name, str):
        raise Misuse(f"parameter run={name!r}", "not a string", f"the default is {paths.DEFAULT_RUN}")
    planning.checked(question, chosen)
    run = paths.run(name)
    return run, {**planning.of_run(question, run), **chosen}


def _assigned(history: list[str], known: set[str]) -> dict[str, bool]:
    """The parameters that cells set, and whether papermill injected them: the cell it
    injects begins with a mark.

    A session remembers names that its cells no longer set. So the cell of parameters,
    whenever it is run, begins anew, and a name in it that is not known is there too.
    """
    found: dict[str, bool] = {}
    for text in history:
        names = _names_set(text)
        if text.startswith("# Parameters\n"):
            found |= dict.fromkeys(names, True)
        elif len(known.intersection(names)) > len(known) / 2:
            found = dict.fromkeys(names, False)
        else:
            found |= {name: False for name in names if name in known}
    return found


def _names_set(text: str) -> list[str]:
    """Names that a cell assigns to by itself; none where it is no plain Python."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except SyntaxError:
        return []
    return [node.id for node in nodes
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def _shows(draw: Callable) -> str:
    """The first paragraph of its docstring, on one line."""
    return one_line((draw.__doc__ or draw.__name__).partition("\n\n")[0])


def _told(skipped: Skipped) -> str:
    return "; ".join(f"{what}: {why}" for what, why in skipped)


def _origin(samples: KernelSamples) -> str:
    """Where a kernel's answers are from, for under a figure."""
    if samples.cell.kernel == "host":
        return f"timed in this machine's own kernel, {samples.cell.boots} processes"
    how = "instructions counted by QEMU, one CPU" if samples.cell.counted else "timed under KVM"
    return f"{samples.cell.kernel} kernel in a virtual machine, {samples.cell.boots} boots, {how}"


def _provisional(cells: list[Samples]) -> str:
    few = measured.provisional(cells)
    return f"; PROVISIONAL: {few}" if few else ""


def _draft(cells: list[Samples]) -> str:
    fewest = min(samples.cell.processes for samples in cells)
    return f"; DRAFT: only {fewest} processes per cell" if any(map(sharpness.is_draft, cells)) else ""


def _steps(cells: list[Samples]) -> str:
    """A line for under a figure where the machine changed for good under a cell."""
    found = [(samples, step) for samples in cells if (step := steps.step(samples))]
    if not found:
        return ""
    samples, step = found[0]
    more = f"; steps in {len(found) - 1} more" if found[1:] else ""
    return f"\na step in {samples.cell.label}: {step}{more}"


def _kernel_row(samples: KernelSamples) -> dict:
    spread = max(float(np.ptp(values, axis=0).max()) for values in samples.values.values())
    return {"cell": samples.cell.id, "arms": len(samples.values), "boots": samples.cell.boots,
            "unit": samples.cell.unit, "kernel": samples.facts[0]["kernel"],
            "package": samples.facts[0]["package"], "pinned": samples.facts[0].get("pinned", ""),
            "spread": spread}


def _cell_row(samples: Samples) -> dict:
    ratio = estimate.same_kernel_ratio(samples)
    steal = sum(facts["steal_seconds"] for facts in samples.facts)
    return {"cell": samples.cell.id, "arms": len(samples.cell.arms),
            "processes": samples.processes, "rounds": samples.cell.rounds,
            "same_kernel": [ratio.value, ratio.low, ratio.high],
            "stable": estimate.is_stable(samples), "step": str(steps.step(samples) or ""),
            "steal_seconds": round(steal, 2),
            "not_quiet": sum(facts["quiet"] == "no" for facts in samples.facts),
            "repeated": sum(facts.get("repeats", 0) > 0 for facts in samples.facts),
            "huge_share": samples.huge_share,
            "overhead_ns": max(facts["overhead_ns"] for facts in samples.facts)}
