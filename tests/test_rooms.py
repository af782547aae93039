# SPDX-License-Identifier: MIT
"""The C side's rooms: a table each, and nobody beside it knows what is inside."""

import json
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from artifact import ctools, paths
from artifact.measuring import kernels
from tests.conftest import disassembled


def made_of(target):
    listed = subprocess.run(["make", "-s", "--no-print-directory", "-C", paths.CTOOLS, target],
                            capture_output=True, text=True, check=True).stdout
    return listed.split()


def test_every_source_is_built_into_something():
    there = {str(p.relative_to(paths.CTOOLS)) for p in paths.CTOOLS.rglob("*.c")
             if "kmod" not in p.parts}
    assert set(made_of("sources")) | set(made_of("movepages-sources")) | {"planted.c"} == there
    assert "movepages.c" not in made_of("sources")


def test_long_files_say_why():
    for path in [*paths.CTOOLS.rglob("*.c"), *paths.CTOOLS.rglob("*.h")]:
        text = path.read_text()
        first = text.split("/*", 1)[1].split("*/", 1)[0]
        if len(text.splitlines()) > 400:
            assert re.search("long", first, re.IGNORECASE), path


@pytest.mark.parametrize("room, name", [("victims", r"victim_kind (\w+)_victim ="),
                                        ("probes", r"struct probe (\w+)_probe =")])
def test_the_round_knows_nobody_by_name(room, name):
    inside = [found for path in (paths.CTOOLS / room).glob("*.c")
              for found in re.findall(name, path.read_text())]
    assert len(inside) == 6
    for path in [paths.CTOOLS / "bench.c", paths.CTOOLS / "pagecopy.c", paths.CTOOLS / "json.c"]:
        for one in inside:
            assert f"{one}_{room[:-1]}" not in path.read_text()
            if room == "victims":
                assert f'"{one}"' not in path.read_text()


def test_what_there_is_can_be_asked_for(pagecopy):
    listed = json.loads(pagecopy("--list", "--json")[1])
    assert {name: victim["description"] for name, victim in listed["victims"].items()} == {
        "integer": "integer loop", "l2": "L2-resident chase", "llc": "LLC-resident chase",
        "lock": "lock holder", "stream": "streaming read", "timer": "1 kHz timer"}
    assert all(victim["unit"] for victim in listed["victims"].values())
    assert "victim cpu" in listed["channels"] and "victim_switches" in listed["counts"]
    assert (listed["timer_ns"], listed["migrator_copies"], listed["scan_most"]) == (1000000, 8, 1024)


def test_every_role_is_played_and_the_kernels_own_by_one_that_runs(pagecopy):
    listed = json.loads(pagecopy("--list", "--json")[1])
    primitives = listed["primitives"]
    played = {role for primitive in primitives.values() for role in primitive["roles"]}
    assert played == {"own-then", "own-now", "libc", "fallback", "careful", "floor", "streaming",
                      "flushcache", "nothing"}
    own = primitives[listed["copy_page"]]
    assert own["lacks"] is None and set(own["roles"]) & {"own-then", "libc"}
    assert primitives["nt-avx2"]["fpu"] and not primitives["movsq"]["fpu"]
    assert primitives["movnti"]["roles"] == ["flushcache"] and not primitives["movnti"]["fpu"]


def own_now(listed):
    """The routine that migration calls today, which is the only one of its role."""
    name, = [name for name, it in listed["primitives"].items() if "own-now" in it["roles"]]
    assert name == listed["folio_mc_copy"]
    return name


@pytest.mark.skipif(platform.machine() != "x86_64", reason="ERMS and FSRM are x86")
def test_migration_calls_what_this_cpu_lets_it(pagecopy):
    flags = re.search(r"^flags\s*:(.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    fast = {"erms", "fsrm"} & set(flags.group(1).split())
    listed = json.loads(pagecopy("--list", "--json")[1])
    assert own_now(listed) == ("movsb" if fast else "unrolled")
    assert "(role: own-now)" in described(pagecopy, own_now(listed))


@pytest.mark.skipif(platform.machine() != "x86_64" or not shutil.which("qemu-x86_64"),
                    reason="needs qemu-user on x86")
@pytest.mark.parametrize("cpu, routine", [("max", "movsb"), ("max,erms=off,fsrm=off", "unrolled")])
def test_slow_strings_make_migration_call_memcpy_orig(pagecopy, cpu, routine):
    done = subprocess.run(["qemu-x86_64", "-cpu", cpu, ctools.PAGECOPY, "--list", "--json"],
                          capture_output=True, text=True)
    listed = json.loads(done.stdout)
    assert own_now(listed) == routine and listed["copy_page"] == "movsq"
    assert "fallback" in listed["primitives"]["unrolled"]["roles"]


def described(pagecopy, primitive):
    """What --list says of it."""
    text = pagecopy("--list")[1]
    return re.search(rf"^  {primitive} +.*\n(?:   .*\n)*", text, re.MULTILINE).group()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="movnti is x86")
def test_movnti_stores_past_the_cache_and_fences(pagecopy):
    assert "no FPU state to save" in described(pagecopy, "movnti")
    assert "has to save FPU state" in described(pagecopy, "nt-avx2")
    assert "FPU" not in described(pagecopy, "libc")
    text = disassembled("copy_movnti")
    assert len(re.findall(r"\bmovnti\b", text)) == 4 and "sfence" in text
    assert not re.search(r"%[xyz]mm", text)


def test_what_is_built_for_the_lab_changes_its_cells():
    named = subprocess.run(["gcc", "-MM", *made_of("movepages-sources")], cwd=paths.CTOOLS,
                           capture_output=True, text=True, check=True).stdout
    read = {(paths.CTOOLS / word).resolve() for word in re.findall(r"[\w./]+\.[ch]\b", named)}
    assert (paths.CTOOLS / "random.h").resolve() in read
    assert read <= {path.resolve() for path in kernels.what_runs()}


def test_movepages_refuses_a_step_before_it_looks_at_the_machine():
    movepages = ctools.build(ctools.MOVEPAGES)
    for steps, word in (("off,,bulk", "''"), ("", "''"), ("off,bulky", "'bulky'"),
                        ("highpri:", "'highpri:'"), ("unbound:2x", "'unbound:2x'")):
        done = subprocess.run([movepages, f"--live={steps}"], capture_output=True, text=True)
        line, = done.stderr.splitlines()
        assert done.returncode == 1 and f"unknown step {word}: off, loop, bulk" in line
    done = subprocess.run([movepages, "--live=off,loop,bulk,highpri:2,unbound:16", "--list"],
                          capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_movepages_tells_its_tables_on_any_machine():
    movepages = ctools.build(paths.CTOOLS / "movepages")
    listed = json.loads(ctools.run(["--list", "--json"], movepages))
    assert listed["kinds"] == {"base": 4096, "huge": 2 << 20, "gigantic": 1 << 30}
    assert "pgmigrate_success" in listed["counters"]
    text = ctools.run(["--list"], movepages)
    for step in listed["live"]:
        assert step["step"] in text and step["description"] in text
    assert {step["step"] for step in listed["live"]} == {"off", "loop", "bulk", "highpri:N",
                                                         "unbound:N"}
