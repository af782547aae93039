# SPDX-License-Identifier: MIT
"""Runs that go from hand to hand.

A packed run is data only: it is checked before anything of it is used, and
nothing in it is executed. Paths in it are compared with the few that a run
has, never followed.
"""

import dataclasses
import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from pathlib import Path

from artifact import likeness, machine, measured, paths, plan, samples
from artifact.cells import AnyCell, Cell, KernelCell
from artifact.problem import Damaged, Lacking, Misuse, one_line
from artifact.variant import Variant
from artifact.verdicts import crate

MEMBER = re.compile(r"(machine\.json|plans?\.json|"
                    r"cells/[A-Za-z0-9][\w.-]{0,120}(\.json\.gz|/\d{3,6}\.json))")
SUMS = "SHA256SUMS"
MOST_FILES = 10_000
MOST_BYTES = 256 << 20          # of all files together
MOST_CELL_BYTES = 32 << 20      # of what one unpacks to
MOST_CRATE_BYTES = 8 << 20      # of the description, which is nothing but passed on


def pack(run: paths.Run) -> Path:
    """Writes RUN.tar.gz beside the run's folder: cells, machine, plan, what they are, checksums.

    Of the plan only what the run was taken with, and not what notebooks were
    tried with since. Raises Lacking where some cell has not even enough to be read.
    """
    cells, found = plan.read_own(run).cells, plan.read(run)
    if lacking := [cell for cell in cells if not samples.is_there(run, cell)]:
        raise Lacking(f"run {run.name}", f"not measured far enough ({len(lacking)} of {len(cells)} "
                      "cells are missing)", "run 'make reproduce' first")
    files = [run.machine, *(path for cell in cells for path in (
        run.cell_file(cell.id), run.rejected_file(cell.id), *run.process_files(cell.id))
        if path.exists())]
    kept = dataclasses.replace(found, entries=found.own).as_json()
    try:
        contents = {run.plan.name: json.dumps(kept, indent=1).encode()}
        contents |= {str(path.relative_to(run.measured)): path.read_bytes() for path in files}
    except OSError as error:
        raise Damaged(f"run {run.name}", f"not whole: {error.filename} cannot be read",
                      "run 'make reproduce' to its end first") from error
    contents[crate.FILE] = crate.description(measured.of(run), contents)
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
    return _unpacked(Path(name)) if name.endswith(".tar.gz") else paths.run(name)


def _unpacked(file: Path) -> paths.Run:
    """A foreign run, checked and laid into the results as data."""
    try:
        found = _members(file)
    except FileNotFoundError as error:
        raise Misuse(f"packed run {file}", "no such file",
                     "give its full path, or one relative to the project's folder") from error
    except (OSError, tarfile.TarError, EOFError, ValueError, zlib.error) as error:
        raise Damaged(f"packed run {file.name}", getattr(error, "strerror", "") or one_line(error),
                      "have it packed again") from error
    digest = hashlib.sha256(found[SUMS]).hexdigest()
    folder = paths.RESULTS / "foreign" / digest[:12]
    for name, content in found.items():
        if MEMBER.fullmatch(name):
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
            if not member.isfile() or not (name in (SUMS, crate.FILE) or MEMBER.fullmatch(name)):
                raise ValueError(f"{member.name!r} is no file of a run")
            unpacked = archive.extractfile(member)
            assert unpacked         # it is a file
            content = unpacked.read()
            if name.endswith(".gz"):
                _check_unpacked_size(name, content)
            if name == crate.FILE and len(content) > MOST_CRATE_BYTES:
                raise ValueError(f"{name} has more than {MOST_CRATE_BYTES >> 20} MiB")
            found[name] = content
    sums = {name: digest for digest, name in (line.split("  ", 1) for line in
            found.get(SUMS, b"").decode("ascii").splitlines())}
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
    """Machine record and plan; each cell is checked when it is read."""
    try:
        record = machine.load(run.machine)
        machine.summary(record), machine.kind(record), likeness.facts(record)
        cells = [cell for entry in plan.read(run).entries.values() for cell in entry.plan.cells]
        proper = all(map(_has_proper_names, cells))
    except Exception as error:      # it is somebody else's, and may be anything
        raise Damaged(f"packed run {run.name}", one_line(error), "have it packed again") from error
    if not proper:
        raise Damaged(f"packed run {run.name}", "a cell has no proper name",
                      "have it packed again")


def _has_proper_names(cell: AnyCell) -> bool:
    """They become names of files, and words in figures and on a terminal."""
    words = [cell.kernel] if isinstance(cell, KernelCell) else \
        [cell.label, *cell.options, *cell.variants]
    for variant in cell.variants if isinstance(cell, Cell) else ():
        Variant.parse(variant)
    return bool(re.fullmatch(r"[A-Za-z0-9][\w.-]{0,120}", cell.id, re.ASCII)) and all(
        re.fullmatch(r"[\w=:.,/-]+", word, re.ASCII) for word in words)
