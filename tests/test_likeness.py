# SPDX-License-Identifier: MIT
"""Machines beside each other: which are alike, which is nearest, and runs that cannot agree."""

import copy
import json
import shutil

import pytest

from artifact import likeness, machine, paths
from tests.conftest import one_line

OURS = paths.recorded_runs()[0]


@pytest.fixture
def record():
    return machine.load(paths.run(OURS).machine)


def other(record, cpu=None, **more):
    """A record that differs in these fields."""
    changed = copy.deepcopy(record) | more
    changed["cpu"] |= cpu or {}
    return changed


def test_what_an_older_record_does_not_tell_is_no_difference():
    record = machine.load(paths.run(paths.recorded_runs()[-1]).machine)
    now = other(record, {"smt": "on", "governor": "powersave", "core_types": "fast 0, slow 1"})
    assert "smt" not in record["cpu"]
    assert likeness.differences({"a": likeness.facts(record), "b": likeness.facts(now)}) == {}
    third = likeness.facts(other(now, {"smt": "off"}))
    assert likeness.differences({"a": likeness.facts(record), "b": likeness.facts(now), "c": third,
                                 "d": third}) == {"SMT": "on (b); off (c, d)"}


def test_a_machine_is_of_the_same_kind_until_its_cpu_or_nodes_differ(record):
    alike = other(record, memory_bytes=1, kernel=record["kernel"] | {"release": "9"})
    assert likeness.kind([record, alike]) == "the same kind of machine"
    for unlike in (other(record, {"usable": 3}), other(record, {"family_model_stepping": "25/1/1"}),
                   other(record, numa_nodes={0: {}, 1: {}})):
        assert likeness.kind([record, unlike]) == "different kinds of machine"


# Each is nearer to ours than all that follow.
NEARER = [{"family_model_stepping": "25/17/9", "usable": 64}, {"family_model_stepping": "25/1/1"},
          {"family_model_stepping": "25/1/1", "usable": 5},
          {"family_model_stepping": "25/1/1", "usable": 6},
          {"family_model_stepping": "6/143/8"},
          {"architecture": "aarch64", "family_model_stepping": "0x41/0xd0c/0x1"}]


def stored(name, record):
    folder = paths.RECORDED / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "machine.json").write_text(json.dumps(record))


def test_the_nearest_recorded_machine(results, monkeypatch, record):
    monkeypatch.setattr(paths, "RECORDED", results / "data")
    stored("self", record)
    ours = paths.run("recorded/self")
    assert likeness.nearest(ours) is None
    for nth, cpu in reversed(list(enumerate(NEARER))):
        stored(f"z{9 - nth}", other(record, cpu))
        assert likeness.nearest(ours).name == f"z{9 - nth}"
    stored("metal", other(record, NEARER[0], virtual_machine=""))
    stored("nodes", other(record, NEARER[0], numa_nodes={0: {}, 1: {}}))
    stored("small", other(record, NEARER[0], caches=[]))
    assert likeness.nearest(ours).name == "z9"
    stored("same", other(record, memory_bytes=1))
    stored("tied", other(record, memory_bytes=2))
    assert likeness.nearest(ours).name == "same"


def test_runs_of_different_machines_cannot_agree(results, artifact, record):
    for name, cpu in (("one", {}), ("two", {"family_model_stepping": "25/1/1", "usable": 4})):
        (results / name).mkdir()
        shutil.copy(paths.run(OURS).plan, results / name)
        (results / name / "cells").symlink_to(paths.run(OURS).cells)
        (results / name / "machine.json").write_text(json.dumps(other(record, cpu)))
    refused = artifact("agree", "one", "two")
    one_line(refused, "runs one and two", "not of one kind of machine", "(Zen 3) 25/1/1 (two)",
             "CPUs 2 (one); 4 (two)", 'make compare RUNS="one two"')
    assert refused.returncode == 2 and not refused.stdout
    likeness.refuse_unlike({"one": record, "another": other(record, memory_bytes=1)})
