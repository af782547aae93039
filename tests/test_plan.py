# SPDX-License-Identifier: MIT
"""Parameters in, cells out: on any machine, and with any nonsense."""

import pytest

from artifact import ctools, machine, notebooks, plan
from artifact.problem import Problem

SERIAL = {key: value for key, value in notebooks.defaults("01-serial-copy").items()
          if key != "run"}
PARALLEL = {key: value for key, value in notebooks.defaults("02-parallel-copy").items()
            if key != "run"}


def test_defaults_plan_every_figure():
    found = plan.serial_copy(**SERIAL)
    assert {cell.experiment for cell in found.cells} == {"serial-ladder", "map-cost", "extent"}
    own = ctools.kernels_own()
    for cell in found.experiment("serial-ladder"):
        assert {rung.format(own) for rung in plan.LADDER} <= set(cell.variants)


def test_what_this_machine_lacks_is_listed_not_dropped():
    skipped = dict(plan.serial_copy(**SERIAL).skipped)
    for name, lacks in ctools.primitives().items():
        assert (f"primitive {name}" in skipped) == bool(lacks)
    if len(machine.memory_nodes()) == 1:
        assert "one node" in skipped["copies between NUMA nodes"]


@pytest.mark.parametrize("cpus, counts", [
    (2, {1, 2}), (4, {1, 2, 3, 4}), (6, {1, 2, 3, 4, 6}),
    (256, {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64})])
def test_thread_sweep_stays_sane(monkeypatch, cpus, counts):
    monkeypatch.setattr(machine, "usable_cpus", lambda: list(range(cpus)))
    monkeypatch.setattr(machine, "placements", lambda: {"spread": list(range(cpus))})
    found = plan.parallel_copy(**PARALLEL)
    threads = {int(plan.fields(v)["threads"]) for cell in found.experiment("threads")
               for v in cell.variants if v.startswith("parallel")}
    assert threads == counts


def test_one_cpu_plans_nothing_and_says_why(monkeypatch):
    monkeypatch.setattr(machine, "usable_cpus", lambda: [0])
    found = plan.parallel_copy(**PARALLEL)
    assert found.cells == () and ("every parallel copy", "this process may use one CPU") \
        in found.skipped


def test_nodes_bring_a_remote_ladder(monkeypatch):
    monkeypatch.setattr(machine, "memory_nodes", lambda: [0, 1])
    monkeypatch.setattr(plan, "_refused", lambda placement: "")
    found = plan.serial_copy(**SERIAL)
    assert "remote" in [cell.label for cell in found.experiment("serial-ladder")]


def test_nodes_that_may_not_be_used_are_skipped_with_the_reason(monkeypatch):
    monkeypatch.setattr(machine, "memory_nodes", lambda: [0, 1023])
    skipped = dict(plan.serial_copy(**SERIAL).skipped)
    assert "NUMA node" in skipped["copies between NUMA nodes"]


def test_too_little_memory_skips_the_large_region(monkeypatch):
    monkeypatch.setattr(machine, "memory_bytes", lambda: 2 << 30)
    found = plan.serial_copy(**SERIAL)
    assert [cell.label for cell in found.experiment("extent")] == ["folio"]
    assert "extents above 2M" in dict(found.skipped)


@pytest.mark.parametrize("changed, message", [
    ({"primitives": ["movsx"]}, "unknown kernel 'movsx'"),
    ({"base_page": "3K"}, "divides the huge page"),
    ({"base_page": "100"}, "multiple of 64"),
    ({"huge_page": "big"}, "size 'big'"),
    ({"huge_page": "0"}, "size '0'"),
    ({"processes": 0}, "processes: 0"),
    ({"rounds": -4}, "rounds: -4"),
    ({"rounds": 10 ** 9}, "rounds"),
    ({"cache_states": ["hot/cold"]}, "cache state 'hot/cold'"),
    ({"delays_ns": [0]}, "delays_ns: 0"),
    ({"delays_ns": []}, "delays_ns: .* nothing to measure"),
    ({"cache_states": []}, "cache_states: .* nothing to measure"),
])
def test_nonsense_is_a_problem(changed, message):
    with pytest.raises(Problem, match=message):
        plan.serial_copy(**{**SERIAL, **changed})


@pytest.mark.parametrize("changed, message", [
    ({"threads": [100000]}, "threads: 100000|may run on"),
    ({"threads": [0]}, "threads: 0"),
    ({"folios": [0]}, "folios: 0"),
    ({"folios": []}, "folios: .* nothing to measure"),
])
def test_parallel_nonsense_is_a_problem(changed, message):
    with pytest.raises(Problem, match=message):
        plan.parallel_copy(**{**PARALLEL, **changed})


def test_other_parameters_are_other_cells_and_the_same_are_the_same():
    one, again = plan.serial_copy(**SERIAL), plan.serial_copy(**SERIAL)
    other = plan.serial_copy(**{**SERIAL, "rounds": SERIAL["rounds"] + 1})
    ids = [{cell.id for cell in p.cells} for p in (one, again, other)]
    assert ids[0] == ids[1] and len(ids[0]) == len(one.cells)
    assert {i for i in ids[0] if "region" not in i}.isdisjoint(ids[2])


def test_what_is_named_twice_is_measured_once():
    twice = plan.serial_copy(**{**SERIAL, "cache_states": ["cold/cold", "cold/cold"]})
    assert len({cell.id for cell in twice.cells}) == len(twice.cells)


def test_a_plan_survives_being_stored():
    found = plan.serial_copy(**SERIAL)
    assert plan.Plan.from_json(found.as_json()) == found


def test_sizes_read_back():
    for text in ("4K", "64K", "2M", "1G", "192K"):
        assert ctools.format_size(ctools.parse_size(text)) == text
