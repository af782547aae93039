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


HARM = {name: {key: value for key, value in notebooks.defaults(name).items() if key != "run"}
        for name in ("03-dispatch", "04-concurrent-migrations", "05-interference",
                     "06-idle-cpus")}


def test_teams_stay_on_the_node_of_the_caller(monkeypatch):
    monkeypatch.setattr(machine, "memory_nodes", lambda: [0, 1])
    monkeypatch.setattr(machine, "_node", lambda node: {"cpus": ("0,2,4,6", "1,3,5,7")[node]})
    assert machine.on_one_node([3, 0, 5, 2, 7]) == [3, 5, 7]
    monkeypatch.setattr(machine, "placements", lambda: {"spread": list(range(8))})
    found = plan.concurrent(**HARM["04-concurrent-migrations"])
    assert {cell.option("cpus") for cell in found.cells} == {"0,2,4,6"}


@pytest.mark.parametrize("name", HARM)
@pytest.mark.parametrize("cpus", [2, 4, 256])
def test_the_cost_of_going_parallel_is_planned_sanely_for_any_machine(monkeypatch, name, cpus):
    monkeypatch.setattr(machine, "usable_cpus", lambda: list(range(cpus)))
    monkeypatch.setattr(machine, "placements", lambda: {"spread": list(range(cpus))})
    monkeypatch.setattr(machine, "memory_bytes", lambda: cpus << 32)
    monkeypatch.setattr(machine, "on_one_node", lambda order: order)
    found = notebooks.PLANS[name](**HARM[name])
    variants = [v for cell in found.cells for v in cell.variants]
    assert max(int(plan.fields(v)["threads"]) for v in variants) <= min(cpus, plan.MOST_THREADS)
    assert {int(plan.fields(v)["migrators"]) for v in variants} <= {1, 2, 4, 8, 16, 32}
    # Logarithmic sweeps: a large machine costs a little more, not 128 times.
    assert sum(cell.processes * cell.seconds for cell in found.cells) < 1200
    for cell in found.cells:
        assert cell.option("cpus").startswith("0,1") and cell.quiet
        teams = [v for v in cell.variants if v.startswith("parallel")]
        assert cell.experiment == "idle-scan" or cell.experiment == "recovery" or teams
        for variant in teams:
            plan.policy(variant)        # each has a name


@pytest.mark.parametrize("name", HARM)
def test_one_cpu_plans_no_team_and_says_why(monkeypatch, name):
    monkeypatch.setattr(machine, "placements", lambda: {"spread": [0]})
    found = notebooks.PLANS[name](**HARM[name])
    assert found.cells == () and ("every parallel copy", "this process may use one CPU") \
        in found.skipped


def test_a_priority_that_is_not_allowed_is_skipped_with_the_reason(monkeypatch):
    monkeypatch.setattr(machine, "placements", lambda: {"spread": [0, 1]})
    monkeypatch.setattr(ctools, "high_priority_allowed", lambda: False)
    found = plan.interference(**HARM["05-interference"])
    assert "CAP_SYS_NICE" in dict(found.skipped)["workers at nice -20 (system_highpri_wq)"]
    assert not any("model=2017" in v for cell in found.cells for v in cell.variants)


def test_batches_that_do_not_fit_into_memory_are_skipped(monkeypatch):
    monkeypatch.setattr(machine, "placements", lambda: {"spread": [0, 1]})
    monkeypatch.setattr(machine, "memory_bytes", lambda: 1 << 30)
    found = plan.interference(**HARM["05-interference"])
    assert "64 folios at once" not in dict(found.skipped)
    found = plan.interference(**{**HARM["05-interference"], "huge_page": "16M"})
    assert "quarter of the memory" in dict(found.skipped)["64 folios at once"]
    assert not found.experiment("charge") and found.experiment("recovery")


def test_energy_is_measured_where_it_can_be_read(monkeypatch):
    monkeypatch.setattr(machine, "placements", lambda: {"spread": [0, 1]})
    monkeypatch.setattr(machine, "energy_counters", lambda: (["/sys/energy_uj"], ""))
    cell, = plan.idle_cpus(**HARM["06-idle-cpus"]).experiment("energy")
    assert cell.option("energy") == "/sys/energy_uj"
    monkeypatch.setattr(machine, "energy_counters", lambda: ([], "no counters"))
    assert ("energy per GiB", "no counters") in plan.idle_cpus(**HARM["06-idle-cpus"]).skipped


@pytest.mark.parametrize("name, changed, message", [
    ("03-dispatch", {"pauses_us": [-1]}, "pauses_us: -1"),
    ("03-dispatch", {"pauses_us": []}, "pauses_us: .* nothing to measure"),
    ("03-dispatch", {"loads": [True]}, "loads: True"),
    ("03-dispatch", {"loads": [2000]}, "loads: 2000"),
    ("03-dispatch", {"loads": []}, "loads: .* nothing to measure"),
    ("03-dispatch", {"primitives": ["movsx"]}, "unknown kernel 'movsx'"),
    ("04-concurrent-migrations", {"migrators": [0]}, "migrators: 0"),
    ("04-concurrent-migrations", {"migrators": [9999]}, "more than four for each"),
    ("05-interference", {"victims": ["innocent"]}, "unknown victim 'innocent'"),
    ("05-interference", {"victims": []}, "victims: .* nothing to measure"),
    ("05-interference", {"window_ms": 1}, "too short"),
    ("05-interference", {"rate": 10}, "not one copy in a window"),
    ("05-interference", {"margin_percent": 0}, "margin_percent: 0"),
    ("05-interference", {"cpu_limit_percent": 200}, "cpu_limit_percent: 200"),
    ("06-idle-cpus", {"scanned_cpus": [1, 5000]}, "scanned_cpus: 5000"),
    ("06-idle-cpus", {"scanned_cpus": []}, "at least two counts"),
    ("06-idle-cpus", {"scanned_cpus": [8, 8]}, "at least two counts"),
])
def test_nonsense_about_harm_is_a_problem(monkeypatch, name, changed, message):
    monkeypatch.setattr(machine, "placements", lambda: {"spread": [0, 1]})
    monkeypatch.setattr(machine, "usable_cpus", lambda: [0, 1])
    with pytest.raises(Problem, match=message):
        notebooks.PLANS[name](**{**HARM[name], **changed})


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
