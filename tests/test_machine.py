# SPDX-License-Identifier: MIT
"""The machine record: wide enough to explain, and nobody's name in it."""

import getpass
import json
import os
import socket

import pytest

from artifact import machine, microarchitecture, paths
from artifact.problem import Problem


def test_wide_enough_to_explain_a_difference():
    found = machine.record()
    for path in ("cpu.flags", "cpu.governor", "cpu.smt", "cpu.core_types",
                 "caches", "numa_nodes", "memory_bytes",
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


@pytest.mark.parametrize("told, name", [
    ("25/1/1", "Zen 3"), ("25/17/1", "Zen 4"), ("23/1/2", "Zen 1"), ("26/2/1", "Zen 5"),
    ("6/85/4", "Skylake"), ("6/85/7", "Cascade Lake"), ("6/85/11", "Cooper Lake"),
    ("6/106/6", "Ice Lake"), ("6/143/8", "Sapphire Rapids"), ("6/207/2", "Emerald Rapids"),
    ("99/1/1", ""), ("25/255/1", ""), ("?/?/?", ""), ("", "")])
def test_two_generations_of_one_name_are_told_apart(told, name):
    cpu = {"model": "a hypervisor's word", "architecture": "x86_64", "family_model_stepping": told}
    assert microarchitecture.of(cpu) == name
    assert machine.cpu_name(cpu) == "a hypervisor's word" + (f" ({name})" if name else "")
    assert machine.cpu_name({**cpu, "model": f"of {name}"}) == f"of {name}"


@pytest.mark.parametrize("model, told, name", [
    ("0xd0c", "0x41/0xd0c/0x3", "Neoverse N1"), ("0xd0c", "?/?/?", "Neoverse N1"),
    ("0xac3", "0xc0/0xac3/0x0", "Ampere-1"), ("0xac3", "0x41/0xac3/0x0", ""), ("arm", "?/?/?", "")])
def test_an_arm64_core_is_told_by_its_part(model, told, name):
    cpu = {"model": model, "architecture": "aarch64", "family_model_stepping": told}
    assert microarchitecture.of(cpu) == name


@pytest.mark.parametrize("name", paths.recorded_runs())
def test_recorded_guests_that_hide_flags_are_named(name):
    cpu = machine.load(paths.run(name).machine)["cpu"]
    assert cpu["model"] == "AMD EPYC"
    assert microarchitecture.of(cpu).startswith("Zen") and microarchitecture.maker(cpu) == "AMD"


SYS = "/sys/devices/system/cpu"
ARM = ("processor\t: {}\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\nCPU variant\t: 0x1\n"
       "CPU part\t: {}\n")


@pytest.fixture
def machine_of(monkeypatch):
    """The CPU of a record of a machine with only these files, and eight CPUs by default."""
    def record(files, cpus=range(8)):
        monkeypatch.setattr(machine, "_read", lambda path: files.get(path, ""))
        monkeypatch.setattr(machine, "usable_cpus", lambda: list(cpus))
        return machine._cpu()
    return record


def test_a_hybrid_machine_says_which_cpu_is_which(machine_of):
    files = {"/sys/devices/cpu_core/cpus": "0-3", "/sys/devices/cpu_atom/cpus": "4-7",
             f"{SYS}/cpu5/cpu_capacity": "500"}
    assert machine_of(files)["core_types"] == "performance 0-3, efficient 4-7"
    assert machine_of(files, [0, 2, 3, 6])["core_types"] == "performance 0,2-3, efficient 6"
    assert machine_of(files, range(4))["core_types"] == ""


def test_big_and_little_cores_are_told_apart(machine_of):
    info = "\n".join(ARM.format(cpu, "0xd05" if cpu < 4 else "0xd0b" if cpu < 7 else "0xfff")
                     for cpu in range(8))
    found = machine_of({"/proc/cpuinfo": info})
    assert found["core_types"] == "Cortex-A55 0-3, Cortex-A76 4-6, 0x41/0xfff 7"
    assert (found["model"], found["family_model_stepping"]) == ("0xd05", "0x41/0xd05/0x1")
    files = {"/proc/cpuinfo": "\n".join(ARM.format(cpu, "0xd05") for cpu in range(8))}
    assert machine_of(files)["core_types"] == ""
    files |= {f"{SYS}/cpu{cpu}/cpu_capacity": "1024" if cpu else "446" for cpu in range(8)}
    assert machine_of(files)["core_types"] == "capacity 446 0, capacity 1024 1-7"


@pytest.mark.parametrize("files, told", [
    ({f"{SYS}/smt/active": "1"}, "on"), ({f"{SYS}/smt/active": "0"}, "off"), ({}, ""),
    ({f"{SYS}/cpu1/topology/thread_siblings_list": "1,5"}, "on"),
    ({f"{SYS}/cpu1/topology/thread_siblings_list": "1"}, "off")])
def test_smt_is_told_as_far_as_it_is_known(machine_of, files, told):
    assert machine_of(files)["smt"] == told


@pytest.mark.parametrize("words, told", [
    ({}, ""), (dict.fromkeys(range(8), "performance"), "performance"),
    ({**dict.fromkeys(range(8), "powersave"), 2: "performance"},
     "mixed: powersave 0-1,3-7, performance 2"),
    ({0: "powersave"}, "mixed: powersave 0, none 1-7")])
def test_a_governor_is_told_for_every_cpu(machine_of, words, told):
    files = {f"{SYS}/cpu{cpu}/cpufreq/scaling_governor": word for cpu, word in words.items()}
    assert machine_of(files)["governor"] == told


def test_a_summary_tells_in_words_what_kind_of_cpus(monkeypatch):
    found = machine.load(paths.run(paths.recorded_runs()[-1]).machine)       # of older code
    assert "core_types" not in found["cpu"] and ", 2 CPUs, " in machine.summary(found)
    found["cpu"] |= {"smt": "off", "governor": "performance", "core_types": "fast 0, slow 1"}
    assert ", 2 CPUs (fast 0, slow 1), governor performance, " in machine.summary(found)
    found["virtual_machine"] = ""
    assert ", 2 CPUs without SMT (fast 0, slow 1), " in machine.summary(found)
    found["cpu"]["smt"] = "on"
    assert ", 2 CPUs with SMT (fast 0, slow 1), " in machine.summary(found)
