# SPDX-License-Identifier: MIT
"""Notebooks from the command line: run by papermill, rendered by nbconvert."""

import ast
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path

from artifact import paths, planning
from artifact.planning import Parameters
from artifact.problem import Damaged, Problem, one_line
from artifact.questions.question import Question

# For nbformat's sake jsonschema would compile a grammar of addresses, 0.8 s at each
# start, which no schema of a notebook asks for.
sys.modules.setdefault("rfc3987_syntax", None)      # type: ignore[arg-type]


def source(question: Question) -> Path:
    """The notebook as it is committed."""
    return paths.NOTEBOOKS / f"{question.notebook}.ipynb"


def title(question: Question) -> str:
    """What the notebook asks, by its first heading."""
    import nbformat

    heading = nbformat.read(source(question), as_version=4).cells[0].source.splitlines()[0]
    return heading.removeprefix("# ").partition(" ")[2]


def literals(question: Question) -> Parameters:
    """What the committed notebook's cell of parameters says.

    For readers, and to know what need not be injected: it is no source of
    defaults. Raises Damaged where it cannot be read.
    """
    import nbformat

    try:
        cells = nbformat.read(source(question), as_version=4).cells
        tagged, = (c for c in cells if "parameters" in c.metadata.get("tags", []))
        return {node.targets[0].id: ast.literal_eval(node.value)
                for node in ast.parse(tagged.source).body}
    except (OSError, ValueError, AttributeError, SyntaxError) as error:
        raise Damaged(f"notebook {question.notebook}", "its parameters cell cannot be read: "
                      f"{one_line(error)}", "restore it: git checkout notebooks") from error


def length(question: Question) -> int:
    """Which notebook takes longer than another: cells of code, most of them figures."""
    return source(question).read_text().count('"cell_type": "code"')


def execute(question: Question, run: paths.Run, parameters: Parameters,
            before_cell: Callable[..., None] = lambda **_: None) -> Path:
    """Runs a notebook in a fresh kernel; returns its HTML.

    before_cell: is given each ``cell`` before it is run, and may raise CancelledError.
    Raises Problem, naming the executed notebook, where a cell fails.
    """
    import nbformat
    import papermill

    output = run.notebooks / f"{planning.key_of(question, run, parameters)}.ipynb"
    partial = output.with_suffix(f".{os.getpid()}.partial.ipynb")
    paths.write_atomically(partial, b"")
    os.environ.update(PYTHONPATH=str(paths.ROOT), ONLY_DRAWS="yes")
    try:
        papermill.execute_notebook(
            source(question), partial, cwd=paths.NOTEBOOKS, progress_bar=False,
            extra_arguments=["--log-level=CRITICAL", "--HistoryManager.enabled=False"],
            shutdown_kernel="immediate",        # nothing in it is worth a second's wait
            on_cell_start=before_cell, parameters=_to_inject(question, run, parameters))
    except (CancelledError, KeyboardInterrupt):
        partial.unlink(missing_ok=True)
        raise
    except papermill.PapermillExecutionError as error:
        raise Problem(f"notebook {question.notebook}", f"cell {error.exec_count}: {_said(error)}",
                      f"the cells before it are in {paths.shown(partial)}") from error
    except RuntimeError as error:       # nbclient's word for a kernel that died
        raise Problem(f"notebook {question.notebook}", one_line(error), "if memory is short, free "
                      "some; what is measured is kept") from error
    except OSError as error:
        with paths.writing(partial):
            raise error
    executed = nbformat.read(partial, as_version=4)
    # Whose machine it was is nobody's business.
    for key in ("input_path", "output_path"):
        executed.metadata.papermill[key] = Path(executed.metadata.papermill[key]).name
    paths.write_atomically(output, nbformat.writes(executed).encode())
    partial.unlink()
    return render(output)


@contextlib.contextmanager
def quick_look() -> Iterator[None]:
    """Notebooks executed meanwhile draw no SVG files, which take a fifth of the time."""
    os.environ[paths.QUICK_LOOK] = "yes"
    try:
        yield
    finally:
        os.environ.pop(paths.QUICK_LOOK, None)


def _to_inject(question: Question, run: paths.Run, parameters: Parameters) -> Parameters:
    """Parameters to inject: those that the notebook's own cell lacks or sets otherwise,
    and those that are not the run's own."""
    said = literals(question)
    changed = planning.changes(question, run, parameters)
    return {key: value for key, value in {"run": run.full_name, **parameters}.items()
            if key not in said or value != said[key] or key in changed}


def _said(error) -> str:
    """What went wrong in the notebook: a Problem's own words are enough."""
    kinds = {Problem.__name__, *(kind.__name__ for kind in Problem.__subclasses__())}
    return error.evalue if error.ename in kinds else one_line(f"{error.ename}: {error.evalue}")


def render(executed: Path) -> Path:
    """The executed notebook as one HTML file that needs no network."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(mathjax_url="", require_js_url="", exclude_input_prompt=True,
                            exclude_output_prompt=True)
    html, _ = exporter.from_filename(str(executed))
    target = executed.with_suffix(".html")
    paths.write_atomically(target, html.encode())
    return target
