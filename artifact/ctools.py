# SPDX-License-Identifier: MIT
"""The C programs: built by Make, asked what they can do, run."""

import ctypes
import fcntl
import functools
import hashlib
import json
import signal
import subprocess
from pathlib import Path

from artifact import paths
from artifact.problem import Problem, one_line

PAGECOPY = paths.CTOOLS / "pagecopy"
PLANTED = paths.CTOOLS / "pagecopy-planted"

PR_SET_PDEATHSIG = 1    # linux/prctl.h


def build(program: Path = PAGECOPY) -> Path:
    """Builds a program of ``ctools/`` unless it is up to date.

    Raises Problem where there is no compiler or it fails.
    """
    with open(paths.CTOOLS / "Makefile") as lock:
        # Two builds of one program at once would each start a compiler.
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(["make", "--no-print-directory", "-s", "-C", paths.CTOOLS,
                               program.name], capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
        raise Problem("cannot build ctools", lines[0] if lines else "make failed",
                      "run 'make -C ctools' to see all of it")
    return program


def die_with_parent() -> None:
    """Nobody goes on measuring for a parent that is gone, killed or not."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def fingerprint(program: Path = PAGECOPY) -> str:
    """Twelve hex digits that change whenever the built program does."""
    return hashlib.sha256(program.read_bytes()).hexdigest()[:12]


def run(arguments: list[str], program: Path = PAGECOPY) -> str:
    """Runs a program and returns what it prints; Problem with its own words."""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True)
    except OSError as error:
        raise Problem(f"cannot run {paths.shown(program)}", one_line(error),
                      "run 'make -C ctools'") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        why = said[-1].removeprefix("pagecopy: ") if said else f"status {done.returncode}"
        raise Problem("pagecopy failed", why,
                      f"try: ctools/{program.name} {' '.join(arguments)}")
    return done.stdout


@functools.cache
def _listed() -> dict:
    return json.loads(run(["--list", "--json"], build()))


def primitives() -> dict[str, str | None]:
    """Each primitive and what this machine lacks for it, None where it runs."""
    return {name: facts["lacks"] for name, facts in _listed()["primitives"].items()}


def kernels_own() -> str:
    """The primitive that the kernel's copy_page() is made of on this machine."""
    return _listed()["copy_page"]


def high_priority_allowed() -> bool:
    """Whether threads may have nice -20, as system_highpri_wq's have."""
    return _listed()["high_priority"]


def parse_size(text: str) -> int:
    """Bytes from '4K', '2M', '1G' or a plain number, as pagecopy reads them.

    Raises Problem for anything else.
    """
    factors = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    number, factor = (text[:-1], factors[text[-1]]) if text[-1:] in factors else (text, 1)
    if not number.isdecimal() or int(number) == 0:
        raise Problem(f"size {text!r}", "not a size", "write it as 4K, 2M or 1G")
    return int(number) * factor


def format_size(size: int) -> str:
    """The shortest text that parse_size() reads back: 2M for 2097152."""
    for suffix, shift in (("G", 30), ("M", 20), ("K", 10)):
        if size % (1 << shift) == 0:
            return f"{size >> shift}{suffix}"
    return str(size)
