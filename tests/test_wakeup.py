# SPDX-License-Identifier: MIT
"""The instruments that check the dispatch cost and are not ours."""

import itertools
import os
import time

import pytest

from artifact import machine
from artifact.measuring import wakeup

pytestmark = pytest.mark.skipif(len(machine.usable_cpus()) < 2, reason="needs two CPUs")


def fake_perf(tmp_path, monkeypatch, says):
    program = tmp_path / "perf"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_both_are_asked_and_nobody_is_left(tmp_path, monkeypatch):
    fake_perf(tmp_path, monkeypatch, "     Total time: 0.013 [sec]\n\n      12.500000 usecs/op")
    now = itertools.count(step=7_000)       # with each look at the clock
    monkeypatch.setattr(time, "perf_counter_ns", lambda: next(now))
    allowed = machine.usable_cpus()
    found = wakeup.round_trips(*allowed[:2])
    assert found["perf_round_trip_ns"] == 12500
    assert found["pipe_round_trip_ns"] == 7_000
    assert next(now) == 7_000 * 2 * wakeup.ROUNDS
    assert machine.usable_cpus() == allowed
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_perf_that_does_not_work_is_left_out(tmp_path, monkeypatch):
    fake_perf(tmp_path, monkeypatch, "E: linux-perf-9.9 is not installed.")
    assert list(wakeup.round_trips(*machine.usable_cpus()[:2])) == ["pipe_round_trip_ns"]
