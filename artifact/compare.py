# SPDX-License-Identifier: MIT
"""Several runs beside each other, and runs that go from hand to hand.

A packed run is data only: it is checked before anything of it is used, and
nothing in it is executed. Paths in it are compared with the few that a run
has, never followed.
"""

import gzip
import hashlib
import io
import math
import re
import tarfile
import zlib
from pathlib import Path

import matplotlib.pyplot as plt

from artifact import claims, drawing, load, machine, notebooks, paths, plan, report
from artifact import verdict_figures
from artifact.claims import Verdict
from artifact.problem import Problem, one_line

MEMBER = re.compile(r"(machine\.json|plans\.json|cells/[A-Za-z0-9][\w.-]{0,120}\.json\.gz)")
SUMS = "SHA256SUMS"
MOST_FILES = 1000
MOST_BYTES = 256 << 20          # of all files together
MOST_CELL_BYTES = 32 << 20      # of what one unpacks to


def pack(run: paths.Run) -> Path:
    """Writes RUN.tar.gz beside the run's folder: cells, machine, plans, checksums."""
    notebooks.require_plans(run)
    cells = notebooks.everything(run).cells
    if run.may_measure:
        notebooks.store_plans(run)      # as of now: a lab may have joined since
    measured = [load.cell_file(run, cell) for cell in cells]
    measured += [path for cell in cells if (path := load.rejected_file(run, cell)).exists()]
    try:
        contents = {str(path.relative_to(run.measured)): path.read_bytes()
                    for path in (run.machine, run.measured / "plans.json", *measured)}
    except OSError as error:
        raise Problem(f"run {run.name}", f"not whole: {error.filename} cannot be read",
                      "run 'make reproduce' to its end first") from error
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n"
                   for name, content in contents.items())
    packed = io.BytesIO()
    # Neither names nor times of whoever packs it.
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in {SUMS: sums.encode(), **contents}.items():
            member = tarfile.TarInfo(f"{run.name}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    target = paths.RESULTS / f"{run.name}.tar.gz"
    paths.write_atomically(target, gzip.compress(packed.getvalue(), mtime=0))
    return target


def opened(name: str) -> paths.Run:
    """A run of ours, a recorded one, or what a packed file holds."""
    if not name.endswith(".tar.gz"):
        run = paths.run(name)
        notebooks.require_plans(run)
        return run
    return _unpacked(Path(name))


def _unpacked(file: Path) -> paths.Run:
    """A foreign run, checked and laid into the results as data."""
    try:
        found = _members(file)
    except FileNotFoundError as error:
        raise Problem(f"packed run {file}", "no such file",
                      "give its whole path, or one from the project's folder") from error
    except (OSError, tarfile.TarError, EOFError, ValueError, zlib.error) as error:
        raise Problem(f"packed run {file.name}", getattr(error, "strerror", "") or one_line(error),
                      "have it packed again") from error
    digest = hashlib.sha256(found[SUMS]).hexdigest()
    folder = paths.RESULTS / "foreign" / digest[:12]
    for name, content in found.items():
        if name != SUMS:
            paths.write_atomically(folder / name, content)
    label = file.name.removesuffix(".tar.gz")
    run = paths.Run(folder, folder / "drawn", may_measure=False)
    # Most are called this-machine.
    run.name = f"{re.sub(r'[^A-Za-z0-9._-]', '-', label)[:33]}-{digest[:6]}"
    _check_schema(run)
    return run


def _members(file: Path) -> dict[str, bytes]:
    """The files of a packed run by name; ValueError where one must not be there."""
    found: dict[str, bytes] = {}
    # Unpacked as a whole and counted, as tar's own headers may be very long.
    with gzip.open(file) as packed:
        plain = packed.read(MOST_BYTES + 1)
    if len(plain) > MOST_BYTES:
        raise ValueError(f"unpacks to more than {MOST_BYTES >> 20} MiB")
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        for nth, member in enumerate(archive):
            name = member.name.partition("/")[2]
            # A negative size brings the same header again, for ever.
            if nth >= MOST_FILES or name in found:
                raise ValueError(f"more than {MOST_FILES} files, or one of them twice")
            if not member.isfile() or not (name == SUMS or MEMBER.fullmatch(name)):
                raise ValueError(f"{member.name!r} is no file of a run")
            content = archive.extractfile(member).read()
            if name.endswith(".gz"):
                _check_unpacked_size(name, content)
            found[name] = content
    sums = dict(reversed(line.split("  ", 1)) for line in
                found.get(SUMS, b"").decode("ascii").splitlines())
    if not sums or set(sums) != set(found) - {SUMS}:
        raise ValueError("its list of checksums does not fit its files")
    for name, digest in sums.items():
        if hashlib.sha256(found[name]).hexdigest() != digest:
            raise ValueError(f"the checksum of {name} is another")
    return found


def _check_unpacked_size(name: str, content: bytes) -> None:
    """A small file may unpack to a very large one."""
    with gzip.open(io.BytesIO(content)) as unpacked:
        size = 0
        while chunk := unpacked.read(1 << 20):
            size += len(chunk)
            if size > MOST_CELL_BYTES:
                raise ValueError(f"{name} unpacks to more than {MOST_CELL_BYTES >> 20} MiB")


def _check_schema(run: paths.Run) -> None:
    """Machine record and plans; each cell is checked when it is read."""
    try:
        machine.summary(machine.load(run.machine))
        cells = notebooks.everything(run).cells
    except Exception as error:      # it is somebody else's, and may be anything
        raise Problem(f"packed run {run.name}", one_line(error), "have it packed again") from error
    for cell in cells:
        # They become names of files, and words in figures and on a terminal.
        words = [cell.kernel] if isinstance(cell, plan.KernelCell) else \
            [cell.label, *cell.options, *cell.variants]
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,120}", cell.id, re.ASCII) or not all(
                re.fullmatch(r"[\w=:.,/-]+", word, re.ASCII) for word in words):
            raise Problem(f"packed run {run.name}", "a cell has no proper name",
                          "have it packed again")


def write(runs: list[paths.Run]) -> tuple[list[str], Path]:
    """Lines with all verdicts, and the report with figures. Problem where two
    runs have one name, or a run is not whole."""
    if len({run.name for run in runs}) < len(runs):
        raise Problem("runs to compare", "two have the same name", "give one of them another")
    found, headlines = {}, {}
    for run in runs:
        found[run.name], headlines[run.name] = _judged(run)
    figures = [_embedded(verdict_figures.claims([], found), "claims"),
               _embedded(_headlines(headlines), "headlines")]
    html = report.environment().get_template("compare.html.j2").render(
        machines={run.name: machine.summary(machine.load(run.machine)) for run in runs},
        rows=[(verdicts[0].claim, [v.word for v in verdicts], portable(verdicts))
              for verdicts in zip(*found.values())], names=list(found), figures=figures)
    target = paths.RESULTS / "compare.html"
    paths.write_atomically(target, html.encode())
    return _lines(found), target


def _judged(run: paths.Run) -> tuple[list[Verdict], dict]:
    """Verdicts and headlines of a run. A foreign one may hold anything, so
    whatever cannot be made sense of is a Problem of that run."""
    try:
        return claims.verdicts(notebooks.evidence(run)), {
            key: ratio for answer in notebooks.answered(run)
            for key, ratio in answer.headlines.items()}
    except Problem:
        raise
    except Exception as error:
        raise Problem(f"run {run.name}", f"its cells do not fit its plan ({one_line(error)})",
                      "have it measured, or packed, again") from error


def portable(verdicts: tuple[Verdict, ...]) -> str:
    """Whether a claim has the same verdict wherever it could be tested; where a
    run leaves it open, in how many that is so."""
    words = [v.word for v in verdicts if v.word in claims.JUDGED]
    if len(words) < 2:
        return "one run only" if words else "not tested"
    if {"holds", "does not hold"} <= set(words):
        return "differs"
    open_in = words.count("inconclusive")
    return f"open in {open_in} of {len(words)}" if open_in else "same verdict"


def _lines(found: dict[str, list[Verdict]]) -> list[str]:
    widths = [max(14, len(name)) for name in found]
    lines = [f"{'claim':6}" + "  ".join(f"{name:{w}}" for name, w in zip(found, widths))
             + "  portable?"]
    for verdicts in zip(*found.values()):
        lines.append(f"{verdicts[0].claim.id:6}" + "  ".join(
            f"{v.word:{w}}" for v, w in zip(verdicts, widths)) + f"  {portable(verdicts)}")
    return lines


def _headlines(found: dict[str, dict]):
    """Every ratio that the answers rest on, a mark for each run."""
    names = list(dict.fromkeys(key for each in found.values() for key in each))
    fig, ax = plt.subplots(figsize=(13, 1.6 + 0.4 * len(names)), layout="constrained")
    for i, (run, each) in enumerate(found.items()):
        for key, e in each.items():
            y = names.index(key) + 0.14 * (i - (len(found) - 1) / 2)
            ax.errorbar(e.value, y, fmt="osD^v<>"[i % 7], color=drawing.COLOURS[i % 10],
                        xerr=[[e.value - e.low], [e.high - e.value]] if math.isfinite(e.high)
                        else None, markersize=5, elinewidth=1.2)
        ax.plot([], [], "osD^v<>"[i % 7], color=drawing.COLOURS[i % 10], label=run)
    ax.set_yticks(range(len(names)), names, fontsize="x-small")
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.axvline(1, color="0.3", linewidth=1)
    ax.set_xscale("log")
    ax.set_xlabel("ratio")
    drawing.legend_below(fig, ax)
    ax.set_title("The ratios that the answers rest on")
    return fig


def _embedded(fig, name: str) -> str:
    path = paths.RESULTS / f"compare-{name}.png"
    picture = io.BytesIO()
    fig.savefig(picture, format="png", dpi=130, bbox_inches="tight")
    plt.close(fig)
    paths.write_atomically(path, picture.getvalue())
    return report.embedded(path)
