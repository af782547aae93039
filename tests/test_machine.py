# SPDX-License-Identifier: MIT
"""The machine record: wide enough to explain, and nobody's name in it."""

import getpass
import json
import os
import socket

import pytest

from artifact import machine, paths
from artifact.problem import Problem


def test_wide_enough_to_explain_a_difference():
    found = machine.record()
    for path in ("cpu.flags", "cpu.governor", "caches", "numa_nodes", "memory_bytes",
                 "transparent_huge_pages.enabled", "kernel.release", "kernel.command_line",
                 "mitigations", "virtual_machine", "cgroup_limits", "compiler", "commit"):
        here = found
        for key in path.split("."):
            here = here[key]
    assert found["cpu"]["usable"] == len(os.sched_getaffinity(0))


def test_no_names_and_no_paths():
    text = json.dumps(machine.record())
    for secret in (socket.gethostname(), os.path.expanduser("~"), str(paths.ROOT)):
        assert len(secret) < 4 or secret not in text
    assert f'"{getpass.getuser()}"' not in text
    assert "/home/" not in text and "/root" not in text


def test_command_line_keeps_what_tells_and_counts_the_rest(monkeypatch):
    line = "root=/dev/sda1 user=somebody mitigations=off isolcpus=1-3 init=/home/me/x hugepages=8"
    monkeypatch.setattr(machine, "_read", lambda path: line)
    assert machine._command_line() == {
        "telling": ["mitigations=off", "isolcpus=1-3", "hugepages=8"], "others": 3}


@pytest.mark.parametrize("text, numbers", [("0-2,4", [0, 1, 2, 4]), ("", []), ("7", [7])])
def test_lists_of_the_kernel(text, numbers):
    assert machine.expand_list(text) == numbers


def test_placements_of_a_machine_with_domains_and_siblings(monkeypatch):
    # Two last-level caches of two cores with two threads each.
    monkeypatch.setattr(machine, "usable_cpus", lambda: list(range(8)))
    monkeypatch.setattr(machine, "_llc_domain", lambda cpu: 0 if cpu % 4 < 2 else 2)
    monkeypatch.setattr(machine, "_core", lambda cpu: cpu % 4)
    monkeypatch.setattr(machine, "_thread_number", lambda cpu: cpu // 4)
    found = machine.placements()
    assert found["spread"][:4] == [0, 2, 1, 3]      # domains in turn, cores first
    assert found["packed"][:4] == [0, 1, 2, 3]      # one domain's cores, then the next
    assert found["sibling"][:2] == [0, 4]           # both threads of a core
    assert all(sorted(order) == list(range(8)) for order in found.values())


def test_busy_cpu_is_seen(monkeypatch):
    ticks = iter([[(0, 100), (0, 100)], [(5, 120), (0, 120)]])
    monkeypatch.setattr(machine, "_busy_ticks", lambda: next(ticks))
    assert machine.busiest_cpu(0) == 0.25


def test_foreign_record_is_a_problem(tmp_path):
    (tmp_path / "machine.json").write_text("[]")
    with pytest.raises(Problem, match="not readable"):
        machine.load(tmp_path / "machine.json")


def test_two_generations_of_one_name_are_told_apart():
    names = {("AMD EPYC", "25/1/1"): "(Zen 3)", ("AMD EPYC", "25/17/1"): "(Zen 4)",
             ("AMD EPYC 7571", "23/1/2"): "(Zen 1)", ("AMD EPYC", "26/2/1"): "(Zen 5)",
             ("AMD EPYC", "99/1/1"): "", ("AMD EPYC", "?/?/?"): "", ("AMD EPYC", ""): "",
             ("Intel Xeon", "25/17/1"): "", ("Neoverse-N1", "?/?/?"): ""}
    assert {each: machine.generation({"model": each[0], "family_model_stepping": each[1]})
            for each in names} == names
