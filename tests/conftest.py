# SPDX-License-Identifier: MIT
"""What the tests share: built programs, a results folder of their own."""

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import hypothesis
import pytest

from artifact import ctools, estimate, machine, paths
from artifact.cells import Cell
from artifact.host import Host, Lab
from artifact.measuring import gate

TINY = ("--base=4K", "--huge=64K", "--pairs=8", "--backing=auto", "--rounds=3")


@pytest.fixture(scope="session")
def pagecopy():
    """Runs pagecopy: returns status, output and the lines of complaint."""
    ctools.build()

    def run(*arguments, program=ctools.PAGECOPY, **more):
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=900,
                              **more)
        return done.returncode, done.stdout, done.stderr.splitlines()
    return run


def disassembled(function):
    """What the compiler made of a function of pagecopy."""
    return subprocess.run(["objdump", f"--disassemble={function}", ctools.PAGECOPY], check=True,
                          capture_output=True, text=True).stdout


needs_two_cpus = pytest.mark.skipif(len(machine.usable_cpus()) < 2, reason="needs two CPUs")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no chromium here: apt-get install chromium")


PATIENCE = 600_000      # ms, on a machine as busy as it likes


def opened_page(browser, **options):
    """A page that waits for as long as it takes."""
    page = browser.new_page(**options)
    page.set_default_timeout(PATIENCE)
    return page


@pytest.fixture(scope="module")
def browser():
    """A real browser, as readers have one."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as started:
        # Its own sandbox refuses root.
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty results folder, for this process and for those it starts."""
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    monkeypatch.setenv("RESULTS", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(paths.ROOT))
    return tmp_path


@pytest.fixture
def nobody_else(monkeypatch):
    """What is measured in this process, a busy machine may neither hold up nor have
    repeated: the gate is always open, and a cell agrees with itself unless its resolution is 0."""
    monkeypatch.setattr(gate.QuietGate, "_probe", lambda self: 1.0)
    monkeypatch.setattr(machine, "busiest_cpu", lambda seconds: 0.0)
    monkeypatch.setattr(estimate, "contradicts_itself", lambda samples: not samples.cell.resolution)


@pytest.fixture
def artifact(results):
    """Runs python -m artifact in another folder than the project's."""
    def run(*arguments, **more):
        return subprocess.run([sys.executable, "-m", "artifact", *arguments], cwd=results,
                              capture_output=True, text=True, timeout=900, **more)
    return run


LOOKS = 20


@contextlib.contextmanager
def before_others():
    """What runs beside this process and its children gets a hundredth of each CPU,
    where that may be asked for."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, own)


def seen_in_time(test):
    """For tests that must see an effect of time.

    Whatever else runs can hide the effect, for as long as it likes, and hardly make
    up one that is not there: so look until it is seen. What never shows in so many
    looks is not there.
    """
    @pytest.mark.clock
    @functools.wraps(test)
    def look(*arguments, **named):
        with before_others():
            for _ in range(LOOKS - 1):
                with contextlib.suppress(AssertionError):
                    return test(*arguments, **named)
            return test(*arguments, **named)
    return look


def eventually(condition):
    """Whether it comes true; how soon is nobody's business."""
    for _ in range(2400):
        if condition():
            return True
        time.sleep(0.05)
    return False


# How long examples take to make says nothing about them.
hypothesis.settings.register_profile(
    "ours", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("ours")


def tiny_cell(label="tiny", processes=2, variants=("serial:bulk:libc", "serial:page:libc"),
              **more):
    """A cell that takes a fraction of a second."""
    return Cell("test", label, TINY, tuple(variants), processes,
                **{"resolution": 1e9, **more})


ROLES = {"libc": ["libc"], "word8": ["careful"], "byte": ["floor"], "empty": ["nothing"],
         "movsq": ["own-then"], "movsb": ["own-now"], "unrolled": ["fallback"], "regs64": [],
         "avx2": [], "avx512": [], "nt-sse2": [], "nt-avx2": ["streaming"], "nt-avx512": [],
         "nt-4pages": [], "movnti": ["flushcache"],
         "ldp-stnp": ["own-then", "own-now", "streaming"], "ldp-stp": [],
         "mops": ["own-then", "own-now"]}


def a_host(cpus=range(2), nodes=None, placements=None, lab_lacks="", **more):
    """A machine that is not this one: x86-64, two CPUs, one node, all allowed."""
    cpus = tuple(cpus)
    orders = {"spread": cpus, **{name: tuple(order) for name, order in (placements or {}).items()}}
    return Host(**{
        "cpus": cpus, "placements": orders, "memory_bytes": 24 << 30, "energy": (),
        "nodes": {node: tuple(each) for node, each in (nodes or {0: cpus}).items()},
        "no_energy": "no counters", "high_priority": True, "refused": {"nodes": "", "limit": ""},
        "copy_page": "movsq", "folio_mc_copy": "movsb", "migrator_copies": 8, "scan_most": 1024,
        "lacks": {name: "an arm64 CPU" if name.startswith(("ldp", "mops")) else "" for name in ROLES},
        "roles": {name: tuple(roles) for name, roles in ROLES.items()},
        "victims": dict.fromkeys(("integer", "l2", "llc", "lock", "stream", "timer"), "a victim"),
        "lab": Lab(lab_lacks, ("amd64", "rt", "highmem"), False, "00000000"), **more})


def running(results):
    """Names of what runs for those results: nothing may, for a parent that is gone."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):      # of somebody else, or gone meanwhile
            if f"RESULTS={results}\0".encode() in (path / "environ").read_bytes():
                found.append((path / "comm").read_text().strip())
    return found


def not_of_a_make(**variables):
    """The environment without what the make that runs the tests was told, as PY=python."""
    told = ("MAKEFLAGS", "MAKELEVEL", "MAKEFILES", "PY", "PYTHON")
    return {name: value for name, value in os.environ.items() if name not in told} | variables


def on_one_cpu():
    """For preexec_fn: the process may use a single CPU."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def without_huge_pages():
    """For preexec_fn: the kernel gives this process base pages only."""
    import ctypes

    disable = 41    # PR_SET_THP_DISABLE in linux/prctl.h
    assert ctypes.CDLL(None).prctl(disable, 1, 0, 0, 0) == 0


def one_line(done, *words):
    """Asserts a single line of complaint with those words, and a status."""
    said = done.stderr.strip().splitlines()
    assert done.returncode not in (0, None), done.stdout
    assert len(said) == 1 and said[0].startswith("error: "), done.stderr
    for word in words:
        assert word in said[0], said[0]
