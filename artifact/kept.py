# SPDX-License-Identifier: MIT
"""What each notebook leaves for others when it has run: its answer, its figures."""

import json

from artifact import paths
from artifact.problem import Damaged, one_line
from artifact.questions import QUESTIONS


def write(run: paths.Run, key: str, content: dict) -> None:
    """key: the notebook's name, with a suffix where parameters were changed."""
    paths.write_atomically(run.notebooks / f"{key}.json", json.dumps(content, indent=1).encode())


def read(run: paths.Run, name: str) -> dict:
    """What a notebook kept with the run's own parameters; Damaged where it has not run."""
    path = run.notebooks / f"{name}.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise Damaged(f"run {run.name}", f"notebook {name} was not drawn",
                      "run 'make report' first") from error
    except (OSError, ValueError) as error:
        raise Damaged(f"cannot read {paths.shown(path)}", one_line(error),
                      "draw it again: make report") from error


def figures(run: paths.Run) -> set[str]:
    """The names of the figures that are there."""
    return _names(run, "figures")


def shown(run: paths.Run) -> set[str]:
    """The same, and those of the tables."""
    return figures(run) | _names(run, "tables")


def _names(run: paths.Run, kind: str) -> set[str]:
    # An older version kept no tables.
    return {each["file"] for name in QUESTIONS if (run.notebooks / f"{name}.json").exists()
            for each in read(run, name).get(kind, [])}
