# SPDX-License-Identifier: MIT
"""Notebooks: their parameters, checked; run by papermill; rendered by nbconvert."""

import ast
import hashlib
import json
import os
import typing
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np

from artifact import answers, claims, estimate, load, machine, measure, paths, plan
from artifact.problem import Problem, one_line

# What a notebook's parameters mean is told by the signature of its plan.
PLANS: dict[str, Callable[..., plan.Plan]] = {
    "01-serial-copy": plan.serial_copy,
    "02-parallel-copy": plan.parallel_copy,
    "03-dispatch": plan.dispatch,
    "04-concurrent-migrations": plan.concurrent,
    "05-interference": plan.interference,
    "06-idle-cpus": plan.idle_cpus,
    "07-page-migration": plan.page_migration,
    "08-in-kernel": plan.in_kernel,
    "09-changelog": plan.changelog,
}
PAPER = "09-changelog"      # made of what the others measured
MEASURING = [name for name in PLANS if name != PAPER]
ANSWERS = {
    "01-serial-copy": answers.serial_copy,
    "02-parallel-copy": answers.parallel_copy,
    "03-dispatch": answers.dispatch,
    "04-concurrent-migrations": answers.concurrent,
    "05-interference": answers.interference,
    "06-idle-cpus": answers.idle_cpus,
    "07-page-migration": answers.page_migration,
    "08-in-kernel": answers.in_kernels,
    "09-changelog": lambda cells, parameters: answers.verdicts(
        claims.verdicts(evidence(paths.run(parameters["run"])))),
}


class Notebook:
    """A notebook at work: opened in its first cell, asked for figures after.

    ``namespace`` is the notebook's globals(): its parameters are taken from
    there and checked, those that papermill injected included.
    """

    def __init__(self, name: str, namespace: dict):
        declared = defaults(name)
        injected = _injected_names(namespace.get("In", []))
        given = {key: namespace[key] for key in declared if key in namespace}
        self.parameters = checked(name, {**declared, **given,
                                         **{key: namespace.get(key) for key in injected}})
        self.name = name
        self.run = paths.run(self.parameters["run"])
        self.plan = planned(name, self.run, self.parameters)
        self.suffix = suffix(name, self.parameters)
        self.drawn: list[dict] = []
        measure.measure(self.run, list(self.plan.cells), lambda line: print(line, flush=True))
        self.samples: dict[str, list[load.Samples | load.KernelSamples]] = {}
        for cell in self.plan.cells:
            self.samples.setdefault(cell.experiment, []).append(load.any_cell(self.run, cell))
        self._say_what_is_odd()

    def figure(self, name: str, draw: Callable, caption: str, **options) -> None:
        """Draws an experiment's figure, shows it and keeps it as PNG and SVG.

        name: EXPERIMENT, or EXPERIMENT:NAME where it has several figures;
        options go to ``draw`` behind the samples.
        """
        import matplotlib.pyplot as plt
        from IPython.display import Image, Markdown, display

        if name.partition(":")[0] not in self.samples:
            display(Markdown(f"*Figure {name} is skipped: {self.reasons()}.*"))
            return
        experiment, _, own_name = name.partition(":")
        fig = draw(self.samples[experiment], **options)
        _write_below(fig, self._footer(experiment))
        file = f"{own_name or experiment}{self.suffix}"
        # Once: to find it takes as long as to draw.
        box = fig.get_tightbbox().padded(0.1)
        for ending in ("png", "svg"):
            _save(fig, self.run.figures / f"{file}.{ending}", box)
        # What was saved, not drawn a third time; at the size of the screen.
        display(Image(filename=str(self.run.figures / f"{file}.png"), embed=True,
                      width=int(box.width * fig.dpi)))
        plt.close(fig)
        display(Markdown(f"*{caption}*"))
        self.drawn.append({"file": file, "caption": caption})

    def answer(self) -> None:
        """Shows the answer, and keeps it with what it rests on for the report."""
        from IPython.display import Markdown, display

        found = ANSWERS[self.name](self.samples, self.parameters) if self.samples else \
            answers.Answer(f"Nothing could be measured here: {self.reasons()}.", {})
        display(Markdown(f"**{found.sentence}**"))
        kept = {
            "answer": found.sentence,
            "headlines": {key: [e.value, e.low, e.high] for key, e in found.headlines.items()},
            "parameters": self.parameters,
            "modified": self.changes(),
            "figures": self.drawn,
            "skipped": self.plan.skipped,
            "mixture": measure.mixture(self._timed()),
            "cells": [_cell_row(samples) for samples in self._timed()],
            "kernels": [_kernel_row(samples) for samples in self._of_kernels()],
        }
        paths.write_atomically(self.run.notebooks / f"{self.name}{self.suffix}.json",
                               json.dumps(kept, indent=1).encode())

    def skipped(self) -> None:
        """Shows what this machine could not measure, and why."""
        from IPython.display import Markdown, display

        lines = [f"- {what}: {why}" for what, why in self.plan.skipped] or ["- nothing"]
        display(Markdown("\n".join(lines)))

    def reasons(self) -> str:
        return "; ".join(f"{what}: {why}" for what, why in self.plan.skipped) or "no cells"

    def changes(self) -> list[str]:
        """Parameters that are not the notebook's own, as NAME=VALUE."""
        own = defaults(self.name)
        return [f"{key}={value}" for key, value in self.parameters.items()
                if key != "run" and value != own[key]]

    def _timed(self) -> list[load.Samples]:
        return [samples for group in self.samples.values() for samples in group
                if isinstance(samples, load.Samples)]

    def _of_kernels(self) -> list[load.KernelSamples]:
        return [samples for group in self.samples.values() for samples in group
                if isinstance(samples, load.KernelSamples)]

    def _footer(self, experiment: str) -> str:
        """What a figure rests on: where it was measured, and how well it repeats."""
        found = self.samples[experiment]
        changed = "; modified: " + " ".join(self.changes()) if self.changes() else ""
        if isinstance(found[0], load.KernelSamples):
            return f"run {self.run.name}: " + "\n".join(map(_origin, found)) + changed
        ratios = [estimate.same_kernel_ratio(s) for s in found]
        same = (f"the same kernel twice differs by at most "
                f"{max(max(abs(r.high - 1), abs(1 - r.low)) for r in ratios):.1%}")
        huge = min(s.huge_share for s in found)
        backing = "" if huge == 1 else f"; HUGE PAGES BEHIND ONLY {huge:.0%} OF THE BUFFERS"
        record = machine.load(self.run.machine)
        return f"run {self.run.name}: {machine.summary(record)}\n{same}{backing}{changed}"

    def _say_what_is_odd(self) -> None:
        for line in measure.mixture(self._timed()):
            print(f"mixed run: {line}")


def names() -> list[str]:
    return list(PLANS)


def find(text: str) -> str:
    """The notebook that a name, file name or unique beginning means."""
    wanted = Path(text).name.removesuffix(".ipynb")
    found = [name for name in PLANS if wanted and name.startswith(wanted)]
    if len(found) != 1:
        raise Problem(f"notebook {text!r}", "no such notebook", f"choose from {', '.join(PLANS)}")
    return found[0]


def source(name: str) -> Path:
    return paths.NOTEBOOKS / f"{name}.ipynb"


def defaults(name: str) -> dict:
    """The parameters a notebook declares, from its cell tagged "parameters"."""
    try:
        cells = nbformat.read(source(name), as_version=4).cells
        tagged, = (c for c in cells if "parameters" in c.metadata.get("tags", []))
        return {node.targets[0].id: ast.literal_eval(node.value)
                for node in ast.parse(tagged.source).body}
    except (OSError, ValueError, AttributeError, SyntaxError) as error:
        raise Problem(f"notebook {name}", f"its parameters cell cannot be read: "
                      f"{one_line(error)}", "give each parameter one literal value") from error


def checked(name: str, parameters: dict) -> dict:
    """The parameters, when all are known and of the declared type."""
    hints = {**typing.get_type_hints(PLANS[name]), "run": str}
    for key, value in parameters.items():
        if key not in defaults(name):
            raise Problem(f"unknown parameter {key!r}", f"notebook {name} does not have it",
                          f"choose from {', '.join(defaults(name))}")
        if not _is_of(value, hints[key]):
            raise Problem(f"parameter {key}={value!r}",
                          f"not of type {getattr(hints[key], '__name__', hints[key])}"
                          if hints[key] in (int, str) else f"not a {hints[key]}",
                          f"the default is {defaults(name)[key]!r}")
    return parameters


def parse(name: str, arguments: list[str]) -> dict:
    """Parameters from NAME=VALUE texts; lists are written a,b,c."""
    hints = {**typing.get_type_hints(PLANS[name]), "run": str}
    given = {}
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals or key not in defaults(name):
            raise Problem(f"unknown parameter {key!r}", f"notebook {name} does not have it",
                          f"choose from {', '.join(defaults(name))}")
        item = typing.get_args(hints[key])
        words = [word for word in text.split(",") if word] if item else text
        try:
            given[key] = [item[0](word) for word in words] if item else hints[key](words)
        except ValueError as error:
            raise Problem(f"parameter {argument}", "not a whole number",
                          f"the default is {defaults(name)[key]!r}") from error
    return checked(name, {**defaults(name), **given})


def planned(name: str, run: paths.Run, parameters: dict) -> plan.Plan:
    """What the parameters mean on this machine; what they meant on the
    recording one for a recorded run."""
    wanted = {key: value for key, value in parameters.items() if key != "run"}
    if run.may_measure or name == PAPER:
        own = PLANS[name](**wanted)
        return everything(run) if name == PAPER else own
    try:
        stored = json.loads((run.measured / "plans.json").read_text())[name]
        found = plan.Plan.from_json(stored["plan"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Problem(f"recorded run {run.name}", f"has no readable plan of {name} "
                      f"({one_line(error)})", "restore it: git checkout data/recorded") from error
    if stored["parameters"] != wanted:
        raise Problem(f"recorded run {run.name}", "it was recorded with other parameters",
                      "take a run of your own to change a parameter")
    return found


def store_plans(run: paths.Run) -> None:
    """Keeps what the default parameters meant here, for a reader elsewhere."""
    stored = {}
    for name in MEASURING:
        parameters = {key: value for key, value in defaults(name).items() if key != "run"}
        stored[name] = {"parameters": parameters, "plan": PLANS[name](**parameters).as_json()}
    paths.write_atomically(run.measured / "plans.json", json.dumps(stored, indent=1).encode())


def everything(run: paths.Run) -> plan.Plan:
    """The cells of all notebooks with their own parameters, each once."""
    plans = [planned(name, run, defaults(name)) for name in MEASURING]
    return plan.Plan(tuple({cell.id: cell for found in plans for cell in found.cells}.values()),
                     tuple(dict.fromkeys(what for found in plans for what in found.skipped)))


def evidence(run: paths.Run) -> claims.Evidence:
    return claims.Evidence(run, everything(run))


def require_plans(run: paths.Run) -> None:
    """Problem where a run was never measured to its end."""
    if not (run.measured / "plans.json").exists():
        raise Problem(f"run {run.name}", "not measured to its end",
                      "run 'make reproduce' first")


def answered(run: paths.Run) -> list[answers.Answer]:
    """What each notebook would answer of a run, without drawing anything."""
    found = []
    for name in MEASURING:
        samples: dict[str, list] = {}
        for cell in planned(name, run, defaults(name)).cells:
            samples.setdefault(cell.experiment, []).append(load.any_cell(run, cell))
        if samples:
            found.append(ANSWERS[name](samples, {**defaults(name), "run": run.name}))
    return found


def drawn(run: paths.Run) -> set[str]:
    """The figures of a run that are there, by name."""
    found = set()
    for name in PLANS:
        path = run.notebooks / f"{name}.json"
        if path.exists():
            found |= {figure["file"] for figure in json.loads(path.read_text())["figures"]}
    return found


def suffix(name: str, parameters: dict) -> str:
    """'' for the notebook's own parameters, else a short name for others, so
    that a changed parameter never overwrites the default's figures."""
    own = defaults(name)
    changed = {key: value for key, value in parameters.items()
               if key != "run" and value != own[key]}
    if not changed:
        return ""
    return "-modified-" + hashlib.sha256(json.dumps(changed, sort_keys=True).encode()
                                         ).hexdigest()[:6]


def execute(name: str, parameters: dict) -> Path:
    """Runs a notebook in a fresh kernel; returns its HTML.

    Raises Problem, naming the executed notebook, where a cell fails.
    """
    import papermill

    run = paths.run(parameters["run"])
    output = run.notebooks / f"{name}{suffix(name, parameters)}.ipynb"
    partial = output.with_suffix(f".{os.getpid()}.partial.ipynb")
    paths.write_atomically(partial, b"")
    own = defaults(name)
    os.environ["PYTHONPATH"] = str(paths.ROOT)
    try:
        papermill.execute_notebook(
            source(name), partial, cwd=paths.NOTEBOOKS, progress_bar=False,
            extra_arguments=["--log-level=CRITICAL"],
            parameters={key: value for key, value in parameters.items() if value != own[key]})
    except papermill.PapermillExecutionError as error:
        raise Problem(f"notebook {name}", f"cell {error.exec_count}: {one_line_of(error)}",
                      f"the cells before it are in {paths.shown(partial)}") from error
    except RuntimeError as error:       # nbclient's word for a kernel that died
        raise Problem(f"notebook {name}", one_line(error), "if memory is short, make some free; "
                      "what is measured is kept") from error
    except OSError as error:
        raise Problem(f"cannot write {paths.shown(partial)}", error.strerror or str(error),
                      "make room or set RESULTS to a folder you may write to") from error
    executed = nbformat.read(partial, as_version=4)
    # Whose machine it was is nobody's business.
    for key in ("input_path", "output_path"):
        executed.metadata.papermill[key] = Path(executed.metadata.papermill[key]).name
    paths.write_atomically(output, nbformat.writes(executed).encode())
    partial.unlink()
    return render(output)


def one_line_of(error) -> str:
    """What went wrong in the notebook: a Problem's own words are enough."""
    return error.evalue if error.ename == "Problem" else one_line(
        Exception(f"{error.ename}: {error.evalue}"))


def render(executed: Path) -> Path:
    """The executed notebook as one HTML file that needs no network."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(mathjax_url="", require_js_url="", exclude_input_prompt=True,
                            exclude_output_prompt=True)
    html, _ = exporter.from_filename(str(executed))
    target = executed.with_suffix(".html")
    paths.write_atomically(target, html.encode())
    return target


def _is_of(value, hint) -> bool:
    item = typing.get_args(hint)
    if item:
        return isinstance(value, list) and all(_is_of(v, item[0]) for v in value)
    return isinstance(value, hint) and not isinstance(value, bool)


def _injected_names(history: list[str]) -> list[str]:
    """Names that papermill set: the cell it injects begins with a mark."""
    injected = [text for text in history if text.startswith("# Parameters\n")]
    return [node.targets[0].id for text in injected for node in ast.parse(text).body
            if isinstance(node, ast.Assign)]


def _write_below(fig, text: str) -> None:
    """Below all that the layout has placed, which must not move any more."""
    fig.draw_without_rendering()
    fig.set_layout_engine("none")
    bottom = fig.get_tightbbox().y0 / fig.get_figheight()
    fig.text(0.5, bottom - 0.01, text, ha="center", va="top", fontsize="x-small", color="0.4")


def _save(fig, path: Path, box) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        fig.savefig(temporary, format=path.suffix[1:], dpi=150, bbox_inches=box,
                    metadata={"Date": None} if path.suffix == ".svg" else None)
        os.replace(temporary, path)
    except OSError as error:
        raise Problem(f"cannot write {paths.shown(path)}", error.strerror or str(error),
                      "make room or set RESULTS to a folder you may write to") from error


def _origin(samples: load.KernelSamples) -> str:
    """Where a kernel's answers are from, for under a figure."""
    if samples.cell.kernel == "host":
        return f"timed in this machine's own kernel, {samples.cell.boots} processes"
    how = "instructions counted by QEMU, one CPU" if samples.cell.unit == "instructions" else \
        "timed under KVM"
    return f"{samples.cell.kernel} kernel in a virtual machine, {samples.cell.boots} boots, {how}"


def _kernel_row(samples: load.KernelSamples) -> dict:
    spread = max(float(np.ptp(values, axis=0).max()) for values in samples.values.values())
    return {"cell": samples.cell.id, "arms": len(samples.values), "boots": samples.cell.boots,
            "unit": samples.cell.unit, "kernel": samples.facts[0]["kernel"],
            "package": samples.facts[0]["package"], "pinned": samples.facts[0].get("pinned", ""),
            "spread": spread}


def _cell_row(samples: load.Samples) -> dict:
    ratio = estimate.same_kernel_ratio(samples)
    steal = sum(facts["steal_seconds"] for facts in samples.facts)
    return {"cell": samples.cell.id, "arms": len(samples.cell.arms),
            "processes": samples.cell.processes, "rounds": samples.cell.rounds,
            "same_kernel": [ratio.value, ratio.low, ratio.high],
            "stable": estimate.is_stable(samples), "steal_seconds": round(steal, 2),
            "not_quiet": sum(facts["quiet"] == "no" for facts in samples.facts),
            "repeated": sum(facts.get("repeats", 0) > 0 for facts in samples.facts),
            "huge_share": samples.huge_share,
            "overhead_ns": max(facts["overhead_ns"] for facts in samples.facts)}
