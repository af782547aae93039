# SPDX-License-Identifier: MIT
"""The C programs: built by Make, asked what they can do, run."""

import ctypes
import fcntl
import functools
import hashlib
import json
import os
import signal
import subprocess
from pathlib import Path

from artifact import paths
from artifact.problem import Lacking, Problem, WrongCopy, one_line

PAGECOPY = paths.CTOOLS / "pagecopy"
PLANTED = paths.CTOOLS / "pagecopy-planted"
MOVEPAGES = paths.CTOOLS / "movepages"

PR_SET_PDEATHSIG = 1    # linux/prctl.h
# Opened before any fork(): another thread may hold the loader's lock at that moment.
LIBC = ctypes.CDLL(None)


def build(program: Path = PAGECOPY) -> Path:
    """Builds a program of ``ctools/`` unless it is up to date.

    Raises Lacking where there is no compiler or it fails.
    """
    with open(paths.CTOOLS / "Makefile") as lock:
        # Two builds of one program at once would each start a compiler.
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(["make", "--no-print-directory", "-s", "-C", paths.CTOOLS,
                               program.name], capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
        raise Lacking("cannot build ctools", lines[0] if lines else "make failed",
                      "run 'make -C ctools' to see all of it")
    return program


_parent = 0     # of a child of this process, which gets a copy


def _before_fork() -> None:
    global _parent
    _parent = os.getpid()


os.register_at_fork(before=_before_fork)


def die_with_parent() -> None:
    """Nobody goes on measuring for a parent that is gone, killed or not. In a child."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != _parent:     # it was gone before, and tells nobody any more
        os._exit(1)


def fingerprint(program: Path = PAGECOPY) -> str:
    """Twelve hex digits that change whenever the built program does."""
    return hashlib.sha256(program.read_bytes()).hexdigest()[:12]


# Its exit status where a copy was wrong, as pagecopy --help lists it.
WRONG_COPY = 2


def run(arguments: list[str], program: Path = PAGECOPY) -> str:
    """Runs a program and returns what it prints.

    Raises Problem with its own words where it fails, WrongCopy where it found
    a copy that is not whole.
    """
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True)
    except OSError as error:
        raise Lacking(f"cannot run {paths.shown(program)}", one_line(error),
                      "run 'make -C ctools'") from error
    if done.returncode:
        kind = WrongCopy if done.returncode == WRONG_COPY else Problem
        raise kind(f"{program.name} failed", complaint(done.stderr) or f"status {done.returncode}",
                   f"try: ctools/{program.name} {' '.join(arguments)}")
    return done.stdout


def complaint(stderr: str) -> str:
    """The last line that a program wrote there, without its own name."""
    said = stderr.strip().splitlines()
    return said[-1].removeprefix("pagecopy: ").removeprefix("movepages: ") if said else ""


@functools.cache
def listed() -> dict:
    """What the program says of itself and of this machine: its copy routines,
    options, victims, channels and counts (pagecopy --list --json)."""
    return json.loads(run(["--list", "--json"], build()))


LIBC_ROLE = "libc"      # of a routine whose instructions are the C library's choice


def a_kernel_can_call(routine: str) -> bool:
    """Whether a kernel can copy so as it is: not where FPU state must be saved first.
    Of a routine that is unknown here nothing is held against it."""
    known = listed()["primitives"].get(routine)
    return not known or not (known["fpu"] or LIBC_ROLE in known["roles"])


@functools.cache
def listed_of_moves() -> dict:
    """What movepages says of itself: kinds of pages, counters, live steps."""
    program = build(MOVEPAGES)
    return json.loads(run(["--list", "--json"], program))
