# SPDX-License-Identifier: MIT
"""What the tests share: built programs, a results folder of their own."""

import functools
import os
import subprocess
import sys

import pytest

from artifact import ctools, paths, plan

TINY = ("--base=4K", "--huge=64K", "--pairs=8", "--backing=auto", "--rounds=3")


@pytest.fixture(scope="session")
def pagecopy():
    """Runs pagecopy: returns status, output and the lines of complaint."""
    ctools.build()

    def run(*arguments, program=ctools.PAGECOPY, **more):
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120,
                              **more)
        return done.returncode, done.stdout, done.stderr.splitlines()
    return run


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty results folder, for this process and for those it starts."""
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    monkeypatch.setenv("RESULTS", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(paths.ROOT))
    return tmp_path


@pytest.fixture
def artifact(results):
    """Runs python -m artifact in another folder than the project's."""
    def run(*arguments, **more):
        return subprocess.run([sys.executable, "-m", "artifact", *arguments], cwd=results,
                              capture_output=True, text=True, timeout=300, **more)
    return run


def in_one_of_three_looks(test):
    """For tests that must see an effect of time: a neighbour on the host can hide
    one for a moment, but not make up one that is not there three times over."""
    @functools.wraps(test)
    def look(*arguments, **named):
        for _ in range(2):
            try:
                return test(*arguments, **named)
            except AssertionError:
                pass
        return test(*arguments, **named)
    return look


def tiny_cell(label="tiny", processes=2, variants=("serial:bulk:memcpy", "serial:page:memcpy"),
              **more):
    """A cell that takes a fraction of a second."""
    return plan.Cell("test", label, TINY, tuple(variants), processes,
                     **{"resolution": 1e9, **more})


def on_one_cpu():
    """For preexec_fn: the process may use a single CPU."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def without_huge_pages():
    """For preexec_fn: the kernel gives this process base pages only."""
    import ctypes

    PR_SET_THP_DISABLE = 41     # linux/prctl.h
    assert ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0


def one_line(done, *words):
    """Asserts a single line of complaint with those words, and a status."""
    said = done.stderr.strip().splitlines()
    assert done.returncode not in (0, None), done.stdout
    assert len(said) == 1 and said[0].startswith("error: "), done.stderr
    for word in words:
        assert word in said[0], said[0]
