# SPDX-License-Identifier: MIT
"""Where a run's seconds went: every one of them in one place, and none made up."""

import dataclasses
import json

import numpy as np
import pytest

from artifact import paths, profile
from artifact.measuring import passes
from artifact.problem import Damaged, Lacking
from artifact.samples import Samples, read_timed, rejected_facts
from tests.conftest import tiny_cell

PHASES = {"samples": 2.0, "pauses": 1.0, "pools": 0.5, "start": 0.25, "verify": 0.125,
          "rest": 0.5, "end": 0.125}
WAITED, OTHER = 0.25, 0.25      # so that a process is 5 s in all


def made_up(experiment, processes, **changed):
    cell = tiny_cell(processes=9)
    facts = {f"seconds_{key}": value for key, value in PHASES.items()} | {
        "seconds_waited": WAITED, "seconds_process": sum(PHASES.values()) + OTHER, **changed}
    return Samples(dataclasses.replace(cell, experiment=experiment),
                   {cell.baseline: np.ones((processes, 3))}, {}, {}, {}, {}, {}, [facts] * processes)


def recorded(run, *entries):
    run.measured.mkdir(parents=True)
    (run.measured / "looks.json").write_text(json.dumps([
        {"cells": [], "minutes": 5, "before_seconds": 0, "targets": {}, "goals": {}, "ended": True,
         "drawing_seconds": {}, **entry} for entry in entries]))


def test_a_row_for_each_experiment_and_one_for_all(results):
    head, *rows = profile.table(paths.run("one"), [made_up("a", 3), made_up("b", 4), made_up("a", 3)])
    assert head.split() == ["seconds", "processes", *profile.PARTS, "other", "total", "share"]
    assert rows[0].split() == ["a", "6", "12.0", "6.0", "1.5", "3.0", "1.5", "0.8", "3.0", "0.8",
                               "1.5", "30.0", "60%"]
    assert rows[1].split()[:3] == ["b", "4", "8.0"] and rows[1].split()[-1] == "40%"
    assert rows[2].split()[:2] == ["all", "10"] and rows[2].split()[-2:] == ["50.0", "100%"]
    assert all(len(line) <= 125 for line in (head, *rows[:3]))


def test_what_was_no_process_is_told_and_counts(results):
    run = paths.run("one")
    recorded(run, {"stage_seconds": {"first": 30.0, "kernels": 10.0},
                   "drawing_seconds": {"first": 15.0}},
             {"stage_seconds": {"half": 25.0}, "drawing_seconds": {"half": 14.0, "last": 6.0}})
    *_, between, kernels, drawings, asked = profile.table(run, [made_up("a", 10)])
    assert between.startswith("5.0 s between processes")
    assert kernels.startswith("10.0 s for kernels") and drawings == "35.0 s for 3 drawings"
    assert asked.startswith("30% of the 1.7 minutes")       # 30 s of 50 + 5 + 10 + 35


def test_what_was_not_recorded_is_said(results):
    run = paths.run("one")
    recorded(run, {})
    *_, between, drawings, asked = profile.table(run, [made_up("a", 10)])
    assert between == "what went on between processes was not recorded"
    assert drawings == "no drawing was recorded" and asked.startswith("60% of the 0.8 minutes")


def test_a_first_attempt_took_its_seconds_too(results, nobody_else):
    run, cell = paths.run("one"), tiny_cell(processes=6, resolution=0.0)
    passes.measure(run, [cell], lambda line: None)
    assert run.rejected_file(cell.id).exists()
    found = read_timed(run, cell)
    _, row, *_ = profile.table(run, [found])
    assert row.split()[1] == "12"
    took = sum(facts["seconds_process"] for facts in found.facts + rejected_facts(run, cell))
    assert float(row.split()[-2]) >= round(took, 1) > 0


def test_an_older_run_is_one_line(results):
    old = made_up("a", 2)
    for facts in old.facts:
        facts.pop("seconds_pools", None)
    with pytest.raises(Lacking, match="run one: its processes did not record where"):
        profile.table(paths.run("one"), [old])
    with pytest.raises(Lacking, match="nothing was timed"):
        profile.table(paths.run("one"), [])


def test_a_recorded_run_of_old_is_one_line(artifact):
    done = artifact("profile", "--run", "recorded/kvm-epyc-zen3-2cpu")
    assert done.returncode == Lacking.status and done.stderr.count("\n") == 1


def test_a_run_that_recorded_no_seconds_tells_them_by_when_processes_ended(results):
    """Each has what went on since the one before it, whichever cell that was of."""
    one, other = made_up("a", 2, uptime=0.0), made_up("b", 2, uptime=0.0)
    one, other = (dataclasses.replace(samples, facts=[{"uptime": end} for end in ends])
                  for samples, ends in ((one, (100.0, 107.0)), (other, (102.5, 110.0))))
    assert profile.elapsed(paths.run("one"), [one, other]) == {"b": 2.5 + 3.0, "a": 4.5}
    with pytest.raises(Damaged, match="when they ended"):
        profile.elapsed(paths.run("one"), [made_up("a", 2)])
