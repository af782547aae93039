# SPDX-License-Identifier: MIT
"""Parameters in, cells out: on any machine, and with any nonsense."""

import pytest

from artifact import paths, planning
from artifact.experiments.serial_ladder import LADDER
from artifact.ingredients import MOST_THREADS
from artifact.measuring import outlook
from artifact.measuring.forecast import guess_seconds
from artifact.plan import Plan, joined
from artifact.problem import Problem
from artifact.questions import QUESTIONS
from artifact.sizes import format_size, parse_size
from tests.conftest import a_host

SERIAL, PARALLEL = "01-serial-copy", "02-parallel-copy"
HARM = ("03-dispatch", "04-concurrent-migrations", "05-interference", "06-idle-cpus")


def planned(name, host=None, **changed) -> Plan:
    question = QUESTIONS[name]
    return planning.proposed(question, {**planning.defaults(question), **changed}, host or a_host())


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_has_cells_of_its_experiments_and_of_no_others(name):
    host = a_host(energy=("/sys/energy_uj",), nodes={0: [0], 1: [1]})
    found = planned(name, host)
    assert {cell.experiment for cell in found.cells} <= set(QUESTIONS[name].experiments)
    host = a_host(range(4), {0: [0, 1], 1: [2, 3]}, energy=("/sys/energy_uj",))
    assert {cell.experiment for cell in planned(name, host).cells} == \
        set(QUESTIONS[name].experiments)


def test_the_ladder_has_every_rung_of_the_kernels_own():
    for cell in planned(SERIAL).experiment("serial-ladder"):
        assert {rung.format("movsb") for rung in LADDER} <= set(cell.variants)


def test_what_a_machine_lacks_is_listed_not_dropped():
    skipped = dict(planned(SERIAL).skipped)
    for name, lacks in a_host().lacks.items():
        assert (f"primitive {name}" in skipped) == bool(lacks)
    assert "one node" in skipped["copies between NUMA nodes"]


def test_a_role_stands_for_what_has_it_and_runs():
    arm = a_host(copy_page="ldp-stnp", folio_mc_copy="ldp-stnp", lacks={
        name: "" if name.startswith("ldp") or name in ("libc", "word8", "byte", "empty")
        else "an x86-64 CPU" for name in a_host().lacks})
    variants = [v for cell in planned("03-dispatch", arm).cells for v in cell.variants]
    assert {v.split(":")[2] for v in variants} == {"ldp-stnp", "empty"}
    with pytest.raises(Problem, match="unknown copy routine 'nothing'"):
        planned(SERIAL, primitives=["nothing"])


@pytest.mark.parametrize("cpus, counts", [
    (2, {1, 2}), (4, {1, 2, 3, 4}), (6, {1, 2, 3, 4, 6}),
    (256, {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64})])
def test_thread_sweep_stays_sane(cpus, counts):
    found = planned(PARALLEL, a_host(cpus=range(cpus)))
    assert {cell.of(v).threads for cell in found.experiment("threads")
            for v in cell.where(strategy="parallel")} == counts


def test_teams_stay_on_the_node_of_the_caller():
    host = a_host(cpus=range(8), nodes={0: (0, 2, 4, 6), 1: (1, 3, 5, 7)})
    found = planned("04-concurrent-migrations", host)
    assert {cell.option("cpus") for cell in found.experiment("concurrent")} == {"0,2,4,6"}
    odd = a_host(cpus=[0, 2, 3, 5, 7], nodes={0: (0, 2), 1: (3, 5, 7)},
                 placements={"spread": [3, 0, 5, 2, 7]})
    assert odd.near == (3, 5, 7)


@pytest.mark.parametrize("name", HARM)
@pytest.mark.parametrize("cpus", [2, 4, 256])
def test_the_cost_of_going_parallel_is_planned_sanely_for_any_machine(name, cpus):
    found = planned(name, a_host(cpus=range(cpus), memory_bytes=cpus << 32))
    variants = [cell.of(v) for cell in found.cells for v in cell.variants]
    own_rule = min(cpus, 8)     # of the series of 2017
    assert max(v.threads for v in variants if v.model != "2017") <= min(cpus, MOST_THREADS)
    assert max(v.threads for v in variants) <= own_rule
    assert {v.migrators for v in variants} <= {1, 2, 4, 8, 16, 32}
    # Logarithmic sweeps: a large machine costs a little more, not 128 times.
    assert sum(cell.processes * guess_seconds(cell) for cell in found.cells) < 1200
    for cell in found.cells:
        assert cell.option("cpus").startswith("0,1") and cell.quiet
        arms = cell.where(strategy="parallel")
        assert cell.experiment in ("idle-scan", "recovery", "next-reader") or arms
        for arm in arms:
            cell.policy(arm)        # each has a name


def test_a_large_machine_is_measured_in_forty_minutes(results):
    """256 CPUs, 8 nodes of 16 cores with two threads each, as Linux numbers them."""
    cpus = range(256)
    node = {cpu: cpu % 128 // 16 for cpu in cpus}
    thread = {cpu: cpu // 128 for cpu in cpus}
    large = a_host(
        cpus, memory_bytes=1 << 40,
        nodes={each: [cpu for cpu in cpus if node[cpu] == each] for each in range(8)},
        placements={
            "spread": sorted(cpus, key=lambda cpu: (thread[cpu], cpu % 16, node[cpu])),
            "packed": sorted(cpus, key=lambda cpu: (thread[cpu], node[cpu], cpu % 16)),
            "sibling": sorted(cpus, key=lambda cpu: (cpu % 128, thread[cpu]))})
    everything = joined(planned(name, large) for name, question in QUESTIONS.items()
                        if question.own_cells)
    assert {"remote", "packed-16-folio", "32-migrators"} <= {cell.label for cell in everything.cells}
    found = outlook.of(paths.run("large"), everything.cells)
    assert 10 * 60 < found.most < 40 * 60


@pytest.mark.parametrize("name", [PARALLEL, *HARM])
def test_one_cpu_plans_no_team_and_says_why(name):
    found = planned(name, a_host(cpus=[0]))
    assert found.cells == () and ("every parallel copy", "this process may use only one CPU") \
        in found.skipped


def test_a_priority_that_is_not_allowed_is_skipped_with_the_reason():
    found = planned("05-interference", a_host(high_priority=False))
    assert "CAP_SYS_NICE" in dict(found.skipped)["workers at nice -20 (system_highpri_wq)"]
    arms = [v for cell in found.cells for v in cell.variants if "model=2017" in v]
    assert arms and all("priority=normal" in arm for arm in arms)


def test_batches_that_do_not_fit_into_memory_are_skipped():
    small = a_host(memory_bytes=1 << 30)
    assert "64 folios at once" not in dict(planned("05-interference", small).skipped)
    found = planned("05-interference", small, huge_page="16M")
    assert "quarter of the memory" in dict(found.skipped)["64 folios at once"]
    assert not found.experiment("charge") and found.experiment("recovery")


def test_copies_past_the_cache_are_compared_with_cached_ones_of_as_much():
    found = planned("05-interference").experiment("next-reader")
    assert [cell.option("reader") for cell in found] == ["here", "elsewhere"]
    for cell in found:
        assert cell.baseline == "serial:bulk:movsb" and "serial:bulk:nt-avx2" in cell.variants
        assert {cell.of(v).bytes for v in cell.variants} == {4096, 2 << 20}
        own = {cell.of(v).work for v in cell.where(primitive="movsb")}
        assert own == {cell.of(v).work for v in cell.variants}
        # Or what is to be cold comes round within a round: the pools of a small cache
        # have 64 folios and more.
        assert sum(cell.of(v).folios for v in cell.arms.values()) < 32
    whole = planned("05-interference", huge_page="4K").experiment("next-reader")
    assert {cell.of(v).folios for cell in whole for v in cell.variants} == {1}


def test_the_copy_that_was_posted_to_skip_the_cache_comes_first():
    for cell in planned("05-interference").experiment("next-reader"):
        assert cell.primitives == ["movsb", "movnti", "nt-avx2"]


@pytest.mark.parametrize("own, why", [("ldp-stnp", "ldp-stnp skips it itself"),
                                      ("libc", "no such routine runs here")])
def test_there_may_be_nothing_to_compare_a_cached_copy_with(own, why):
    lacks = {name: "" if name in ("libc", own) else "another CPU" for name in a_host().lacks}
    found = planned("05-interference", a_host(folio_mc_copy=own, lacks=lacks))
    assert why in dict(found.skipped)["copies that skip the cache against the kernel's own"]
    assert not found.experiment("next-reader") and found.experiment("victim")


def test_energy_is_measured_where_it_can_be_read():
    cell, = planned("06-idle-cpus", a_host(energy=("/sys/energy_uj",))).experiment("energy")
    assert cell.option("energy") == "/sys/energy_uj"
    assert ("energy per GiB", "no counters") in planned("06-idle-cpus").skipped


def test_nodes_bring_a_remote_ladder():
    two = {"nodes": {0: [0], 1: [1]}}
    found = planned(SERIAL, a_host(**two))
    assert "remote" in [cell.label for cell in found.experiment("serial-ladder")]
    refused = planned(SERIAL, a_host(**two, refused={"nodes": "not allowed", "limit": ""}))
    assert ("copies between NUMA nodes", "not allowed") in refused.skipped


def of_nodes(host):
    return planned("04-concurrent-migrations", host).experiment("nodes")


def test_teams_pull_push_or_look_on_from_a_third_node():
    """As many CPUs each, in the order in which threads are spread."""
    host = a_host(range(28), {0: range(10), 1: range(10, 12), 2: range(12, 21), 3: range(21, 28)},
                  {"spread": [9, *range(9), *range(27, 9, -1)]})
    found = {cell.label: cell for cell in of_nodes(host)}
    assert {place: cell.option("cpus") for place, cell in found.items()} == {
        "pull": "27,26,25,24,23,22,21", "push": "9,0,1,2,3,4,5", "third": "20,19,18,17,16,15,14"}
    assert {(cell.option("source-node"), cell.option("destination-node"))
            for cell in found.values()} == {("0", "3")}
    arms, = {cell.variants for cell in found.values()}
    assert [arm for arm in arms if arm.startswith("serial")] == [
        "serial:bulk:movsb", "serial:bulk:movnti", "serial:bulk:nt-avx2"]
    assert [found["pull"].policy(arm).id for arm in arms[3:]] == ["2017", "2025", "padata"]
    assert sum(cell.processes * guess_seconds(cell) for cell in found.values()) < 30


def test_a_small_node_makes_smaller_teams_everywhere():
    host = a_host(range(6), {0: range(4), 1: [4, 5]})
    pull, push = of_nodes(host)
    assert (pull.option("cpus"), push.option("cpus")) == ("4,5", "0,1")
    assert {pull.of(arm).threads for arm in pull.where(strategy="parallel")} == {2}
    assert pull.variants == push.variants


@pytest.mark.parametrize("host, why", [
    ({}, "one node"), ({"nodes": {0: range(4), 1: []}}, "two CPUs each"),
    ({"nodes": {0: range(3), 1: [3]}}, "two CPUs each"),
    ({"nodes": {0: range(2), 1: range(2, 4)}, "refused": {"nodes": "no mbind", "limit": ""}},
     "no mbind")])
def test_without_two_nodes_that_can_copy_there_is_nobody_to_pull(host, why):
    host = a_host(range(4), **host)
    assert not of_nodes(host)
    skipped = dict(planned("04-concurrent-migrations", host).skipped)
    assert why in skipped["teams on either of two NUMA nodes"]


def test_too_little_memory_skips_the_large_region():
    found = planned(SERIAL, a_host(memory_bytes=1 << 30))
    assert [cell.label for cell in found.experiment("extent")] == ["folio"]
    assert "extents above 2M" in dict(found.skipped)


@pytest.mark.parametrize("name, changed, message", [
    ("03-dispatch", {"pauses_us": [-1]}, "pauses_us: -1"),
    ("03-dispatch", {"pauses_us": []}, "pauses_us: .* nothing to measure"),
    ("03-dispatch", {"loads": [2000]}, "loads: 2000"),
    ("03-dispatch", {"loads": []}, "loads: .* nothing to measure"),
    ("03-dispatch", {"primitives": ["movsx"]}, "unknown copy routine 'movsx'"),
    ("04-concurrent-migrations", {"migrators": [0]}, "migrators: 0"),
    ("04-concurrent-migrations", {"migrators": [9999]}, "more than four for each"),
    ("05-interference", {"victims": ["innocent"]}, "unknown victim 'innocent'"),
    ("05-interference", {"victims": []}, "victims: .* nothing to measure"),
    ("05-interference", {"window_ms": 1}, "too short"),
    ("05-interference", {"rate": 10}, "less than one copy in a window"),
    ("05-interference", {"margin_percent": 0}, "margin_percent: 0"),
    ("05-interference", {"cpu_limit_percent": 200}, "cpu_limit_percent: 200"),
    ("06-idle-cpus", {"scanned_cpus": [1, 5000]}, "scanned_cpus: 5000"),
    ("06-idle-cpus", {"scanned_cpus": []}, "at least two counts"),
    ("06-idle-cpus", {"scanned_cpus": [8, 8]}, "at least two counts"),
])
def test_nonsense_about_harm_is_a_problem(name, changed, message):
    with pytest.raises(Problem, match=message):
        planned(name, **changed)


@pytest.mark.parametrize("changed, message", [
    ({"primitives": ["movsx"]}, "unknown copy routine 'movsx'"),
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
        planned(SERIAL, **changed)


@pytest.mark.parametrize("changed, message", [
    ({"threads": [100000]}, "threads: 100000|may run on"),
    ({"threads": [0]}, "threads: 0"),
    ({"folios": [0]}, "folios: 0"),
    ({"folios": []}, "folios: .* nothing to measure"),
])
def test_parallel_nonsense_is_a_problem(changed, message):
    with pytest.raises(Problem, match=message):
        planned(PARALLEL, **changed)


def test_other_parameters_are_other_cells_and_the_same_are_the_same():
    one, again, other = planned(SERIAL), planned(SERIAL), planned(SERIAL, rounds=49)
    ids = [{cell.id for cell in found.cells} for found in (one, again, other)]
    assert ids[0] == ids[1] and len(ids[0]) == len(one.cells)
    assert {i for i in ids[0] if "region" not in i}.isdisjoint(ids[2])


def test_what_is_named_twice_is_measured_once():
    twice = planned(SERIAL, cache_states=["cold/cold", "cold/cold"])
    assert len({cell.id for cell in twice.cells}) == len(twice.cells)


def test_notebooks_share_the_cells_they_ask_for_alike():
    first, *others = ([cell.id for cell in planned(name).experiment("load")]
                      for name in ("03-dispatch", "05-interference", "06-idle-cpus"))
    assert first and all(first == other for other in others)


def test_sizes_read_back():
    for text in ("4K", "64K", "2M", "1G", "192K"):
        assert format_size(parse_size(text)) == text
