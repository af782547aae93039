# SPDX-License-Identifier: MIT
"""Every path of the project, found from this file and not from the caller."""

import contextlib
import fcntl
import os
import re
import typing
from collections.abc import Iterator
from pathlib import Path

from artifact.problem import Misuse, Unwritable, choose, one_line

ROOT = Path(__file__).resolve().parent.parent
CTOOLS = ROOT / "ctools"
NOTEBOOKS = ROOT / "notebooks"
PUBLISHED = ROOT / "data" / "published"
RECORDED = ROOT / "data" / "recorded"
RESULTS = Path(os.environ.get("RESULTS") or ROOT / "results").resolve()
# For the kernels, which start in another folder.
os.environ["RESULTS"] = str(RESULTS)
# Of a kernel that a command started: what is missing is not its to measure.
ONLY_DRAWS = "ONLY_DRAWS" in os.environ

# Told to the kernels of a report that measuring will soon make old: it has no SVG.
QUICK_LOOK = "QUICK_LOOK"
PICTURES = ("png",) if QUICK_LOOK in os.environ else ("png", "svg")

DEFAULT_RUN = "this-machine"
RESERVED = ("recorded", "foreign", "lab")      # in the results, and no runs


class Run:
    """The folder of one run: what was measured and what was drawn from it.

    ``measured`` holds cells and machine record, ``drawn`` everything that can
    be made again from them. They are one folder for a run of our own, and two
    for a recorded one, whose data nobody writes to.
    """

    def __init__(self, measured: Path, drawn: Path, may_measure: bool):
        self.name = measured.name
        self.measured = measured
        self.drawn = drawn
        self.may_measure = may_measure
        self.cells = measured / "cells"
        self.machine = measured / "machine.json"
        self.plan = measured / "plan.json"
        self.older_plans = measured / "plans.json"
        self.figures = drawn / "figures"
        self.notebooks = drawn / "notebooks"
        self.report = drawn / "report.html"

    @property
    def full_name(self) -> str:
        """What run() knows it by."""
        return self.name if self.may_measure else f"recorded/{self.name}"

    def cell_file(self, cell: str) -> Path:
        """Where the samples of the cell with that id are, once it is finished."""
        return self.cells / f"{cell}.json.gz"

    def process_file(self, cell: str, index: int) -> Path:
        """Where one of its processes is, until the cell is finished."""
        return self.cells / cell / f"{index:03}.json"

    def process_files(self, cell: str) -> list[Path]:
        """Those of its processes that are there, in the order they ran."""
        return sorted((self.cells / cell).glob("[0-9][0-9][0-9]*.json"),
                      key=lambda path: int(path.stem))

    def rejected_file(self, cell: str) -> Path:
        """A first attempt that contradicted itself, kept beside the second."""
        return self.cells / f"{cell}.rejected.json.gz"


def run(name: str) -> Run:
    """The run of that name: ``recorded/NAME`` for recorded data."""
    if name.startswith("recorded/"):
        measured = RECORDED / _checked(name.removeprefix("recorded/"))
        if not measured.is_dir():
            raise Misuse(f"run {name}", "no such recorded run", choose(name, recorded_runs()))
        return Run(measured, RESULTS / "recorded" / measured.name, may_measure=False)
    folder = RESULTS / _checked(name)
    return Run(folder, folder, may_measure=True)


def known_runs() -> list[str]:
    """The names of all runs that there are, of our own first."""
    return sorted(folder.name for folder in RESULTS.glob("*/") if folder.name not in RESERVED
                  and not folder.name.startswith(".")) + recorded_runs()


def rendered_picture(name: str) -> Path:
    """The figure of that name as the first recorded run has it; it may not be there."""
    return NOTEBOOKS / "rendered" / "pictures" / f"{name}.png"


def recorded_runs() -> list[str]:
    """The names of all that was recorded, in their order."""
    return sorted(f"recorded/{folder.name}" for folder in RECORDED.glob("*/"))


def _checked(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) or name in RESERVED:
        raise Misuse(f"run {name!r}", "not a valid name",
                     f"use letters, digits, '.', '_' and '-', but not {' or '.join(RESERVED)}")
    return name


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all; a full disk leaves the old one.

    Raises Unwritable.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())     # or a crash may leave the name and not the bytes
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def locked(path: Path, blocking: bool = True) -> typing.IO:
    """The file, made if need be, and locked until it is closed or the process ends.

    blocking: wait for the holder of the lock instead of raising BlockingIOError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = open(path, "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))
    except BaseException:
        lock.close()
        raise
    return lock


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the system's word that this cannot be written into a Problem."""
    try:
        yield
    except OSError as error:
        raise Unwritable(f"cannot write {shown(path)}", error.strerror or one_line(error),
                         "make room or set RESULTS to a folder you may write to") from error


def shown(path: Path) -> str:
    """A path as a message shows it: from the project's root where inside."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
