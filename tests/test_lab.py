# SPDX-License-Identifier: MIT
"""Real kernels in a virtual machine: the same counts each time, or a line why not."""

import dataclasses
import hashlib
import json
import lzma
import os
import re
import signal
import struct
import subprocess
import sys

import nbformat
import numpy as np
import pytest

from artifact import ctools, machine, paths, planning
from artifact.cells import KernelCell
from artifact.experiments import ladder as rungs
from artifact.experiments import live, moves
from artifact.measuring import guest, kernels, lab
from artifact.problem import Lacking, Problem
from artifact.questions import QUESTIONS
from artifact.samples import KernelSamples, read_kernel
from tests.conftest import a_host, eventually, one_line

ABSENT = kernels.lacking() or next(
    (f"the {name} kernel is not fetched: make kernel-lab does" for name in kernels.USUAL
     if not kernels.fetched(kernels.find(name))), "")
has_lab = pytest.mark.skipif(bool(ABSENT), reason=f"no lab: {ABSENT}")


@pytest.fixture(scope="module")
def lab_run(tmp_path_factory):
    """What make kernel-lab leaves behind, and what it says."""
    folder = tmp_path_factory.mktemp("lab")
    done = subprocess.run([sys.executable, "-m", "artifact", "kernel-lab", "--run", "ours"],
                          env={**os.environ, "RESULTS": str(folder)}, cwd=paths.ROOT,
                          capture_output=True, text=True)
    # Rarely an event of the host moves a tick of the guest, and boots differ by a little.
    assert (done.returncode, done.stderr) == (int("boots do not agree" in done.stdout), "")
    return folder, done.stdout


def samples(lab_run, experiment, kernel="amd64"):
    folder, _ = lab_run
    run = paths.Run(folder / "ours", folder / "ours", may_measure=True)
    return read_kernel(run, KernelCell(
        experiment, kernel, "instructions", planning.defaults(QUESTIONS["08-in-kernel"])["boots"],
        kernels.digest()))


@has_lab
def test_two_boots_give_the_same_counts_and_the_command_says_so(lab_run):
    """To the digit in the ladder; what the command says is what the cells have."""
    greatest = []
    for name in kernels.USUAL:
        for values in samples(lab_run, "ladder", name).values.values():
            assert (values[0] == values[1]).all()
        asked = [e for e in ("ladder", "moves", "live") if kernels.answers(kernels.find(name), e)]
        pairs = [values for e in asked for values in samples(lab_run, e, name).values.values()]
        differences = [abs(one - other).max() for one, other in pairs]
        said, = re.findall(rf"{name}: 2 boots of .* samples between them: (\d+)\n", lab_run[1])
        greatest.append(max(differences))
        assert int(said) == greatest[-1]
        assert all(each < 1e-2 * one.min() for each, (one, _) in zip(differences, pairs))
    assert ("boots do not agree" in lab_run[1]) == any(greatest)


@has_lab
def test_bookkeeping_is_dear_only_where_it_was(lab_run):
    """On 64 bits the toggles are some twenty instructions, in high memory hundreds."""
    amd64, rt, highmem = (samples(lab_run, "ladder", name) for name in kernels.USUAL)
    assert 5 < rungs.cost(amd64, "cost:kmap_atomic") < 60
    assert rungs.cost(rt, "cost:kmap_atomic") > 2 * rungs.cost(amd64, "cost:kmap_atomic")
    assert rungs.cost(highmem, "cost:kmap_atomic") > 300
    assert highmem.counts["cost:kmap_atomic"]["highmem"] and "serial:bulk" not in highmem.values
    assert rungs.beyond_bare(amd64, "serial:bulk") < 0 < rungs.beyond_bare(
        amd64, "serial:page:map=2017")


@has_lab
def test_real_pages_move_and_are_what_they_claim(lab_run):
    moved = samples(lab_run, "moves")
    each = 2 * lab.MOVE_ROUNDS      # there and back
    for row, migrated, huge in (("base:512", 512 * each, 0), ("huge:16", 16 * 512 * each, 16 * each)):
        counted = moved.counts[f"{row}:there"]
        assert counted["pgmigrate_success"] == migrated and counted["pgmigrate_fail"] == 0
        assert counted["thp_migration_success"] == huge and counted["thp_migration_split"] == 0
    ladder = samples(lab_run, "ladder")
    assert moves.bookkeeping(moved, ladder, "base:512:there") > \
        20 * moves.bookkeeping(moved, ladder, "huge:1:there") > 0


@has_lab
def test_the_patch_is_live(lab_run):
    """Each step changes what the real call does, in the direction it must."""
    steps = samples(lab_run, "live")
    for way in ("there", "back"):
        assert live.step_cost(steps, "huge:1", "loop", way) == 0       # what it is beside
        assert live.step_cost(steps, "huge:1", "bulk", way) < -5000
        for queue in ("highpri", "unbound"):
            one, two = (live.step_cost(steps, "base:512", f"{queue}:{n}", way) for n in (1, 2))
            assert 2000 < one < two


@has_lab
@pytest.mark.parametrize("name", ["07-page-migration", "08-in-kernel"])
def test_notebooks_are_drawn_from_what_is_there(lab_run, name):
    folder, _ = lab_run
    small = [] if name.startswith("07") else ["huge_page=64K", "delays_ns=20,200", "processes=2",
                                              "rounds=2"]
    done = subprocess.run([sys.executable, "-m", "artifact", "notebook", "--run", "ours", name, *small],
                          env={**os.environ, "RESULTS": str(folder)}, cwd=paths.ROOT,
                          capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and "booting" not in done.stdout
    kept, = (folder / "ours" / "notebooks").glob(f"{name}*.json")
    found = json.loads(kept.read_text())
    assert "These are instruction counts; they say nothing about how fast bytes move" in found["answer"]
    assert len(found["figures"]) == 2
    executed = nbformat.read(kept.with_suffix(".ipynb"), as_version=4)
    assert not any("is skipped" in str(cell.get("outputs")) for cell in executed.cells)


@has_lab
def test_a_planted_module_that_copies_a_page_too_few_is_caught(results):
    kernel = kernels.find("amd64")
    with pytest.raises(Problem, match="ladder failed in the kernel"):
        lab.ask(kernel, kernels.fetch(kernel, print), 1, print, planted=True)


@has_lab
@pytest.mark.clock
def test_nothing_is_left_of_a_lab_that_was_killed(tmp_path):
    """No virtual machine outlives the command, whatever ends it."""
    for blow in (signal.SIGINT, signal.SIGKILL):
        running = subprocess.Popen(
            [sys.executable, "-m", "artifact", "kernel-lab", "--run", "killed"], cwd=paths.ROOT,
            env={**os.environ, "RESULTS": str(tmp_path)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        assert eventually(lambda: machines(tmp_path))
        running.send_signal(blow)
        running.wait(timeout=600)
        assert eventually(lambda: not machines(tmp_path))


def machines(folder):
    """Virtual machines whose files are in that folder."""
    listed = subprocess.run(["pgrep", "-f", f"qemu-system.*{folder}"], capture_output=True, text=True)
    return listed.stdout.split()


def test_movepages_says_what_it_lacks():
    program = ctools.build(paths.CTOOLS / "movepages")

    def said(*arguments):
        done = subprocess.run([program, *arguments], capture_output=True, text=True)
        assert done.stdout == "" and done.returncode == 1
        line, = done.stderr.splitlines()
        return line
    if len(machine.memory_nodes()) == 1:
        assert "one NUMA node with memory" in said() and "make kernel-lab" in said()
    assert "--rounds=0" in said("--rounds=0")
    assert "give a number" in said("--from=-1")
    assert "unrecognized option" in said("--frobnicate")
    shown = subprocess.run([program, "--help"], capture_output=True, text=True)
    assert shown.returncode == 0 and "Exit status" in shown.stdout


def test_without_qemu_the_lab_is_one_line(monkeypatch, capsys):
    from artifact import __main__

    monkeypatch.setattr(kernels.shutil, "which", lambda tool: None)
    monkeypatch.setattr(sys, "argv", ["artifact", "kernel-lab"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    status = __main__.main()
    one_line(subprocess.CompletedProcess([], status, "", capsys.readouterr().err),
             "qemu-system-x86", "apt-get install")


def planned(name, host, **changed):
    question = QUESTIONS[name]
    return planning.proposed(question, {**planning.defaults(question), **changed}, host)


def test_without_qemu_the_notebooks_say_so():
    bare = a_host(lab_lacks="needs qemu-system-x86")
    for name in ("07-page-migration", "08-in-kernel"):
        found = planned(name, bare)
        assert ("the virtual machine", "needs qemu-system-x86") in found.skipped
        assert found.cells == ()


def test_two_nodes_of_its_own_are_asked():
    host = a_host(lab_lacks="needs qemu-system-x86", nodes={0: [0, 1], 1: []})
    cell, = planned("07-page-migration", host, processes=3).cells
    assert (cell.kernel, cell.unit, cell.boots) == ("host", "ns", 3)


@pytest.mark.parametrize("changed, message", [
    ({"lab_kernels": ["amiga"]}, "kernel 'amiga'"), ({"lab_kernels": []}, "nothing to measure"),
    ({"lab_kernels": ["../x"]}, "kernel '../x'"), ({"boots": 0}, "boots: 0")])
def test_nonsense_about_kernels_is_a_problem(changed, message):
    with pytest.raises(Problem, match=message):
        planned("07-page-migration", a_host(), **changed)


@pytest.mark.parametrize("named, message", [
    ("/nowhere/vmlinuz-1", "not a file named like a kernel"), ("{}/vmlinuz-0.0-none", "no headers")])
def test_a_kernel_that_a_user_names_must_be_whole(tmp_path, named, message):
    (tmp_path / "vmlinuz-0.0-none").write_bytes(b"")
    with pytest.raises(Problem, match=message):
        kernels.adopt(named.format(tmp_path))


def test_a_folder_that_kbuild_does_not_take_is_not_built_in(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    assert kernels.kbuild_takes(tmp_path) and guest.scratch() == paths.RESULTS
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "it's \u00fcber")
    assert guest.scratch().is_relative_to(kernels.CACHE)
    monkeypatch.setattr(kernels, "CACHE", tmp_path / "a b")
    assert "set XDG_CACHE_HOME" in kernels.lacking()


def test_a_users_kernel_is_found_by_its_release(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "CACHE", tmp_path / "cache")
    (tmp_path / "vmlinuz-9.9-own").write_bytes(b"image")
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "Makefile").write_text("")
    assert kernels.adopt(str(tmp_path / "vmlinuz-9.9-own")).name == "9.9-own"
    unpacked = kernels.fetch(kernels.find("9.9-own"), print)
    assert unpacked.release == "9.9-own" and unpacked.headers == tmp_path / "build"


def test_every_pin_has_a_checksum_and_every_kernel_a_pin():
    pins = kernels.pins()
    assert {kernel.image for kernel in kernels.KERNELS.values()} | {kernels.BUSYBOX} == set(pins)
    for packages in pins.values():
        assert all(len(package.sha256) == 64 for package in packages)


def test_a_package_that_is_not_the_pinned_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "CACHE", tmp_path)

    def fake_apt(*arguments, folder=None):
        (folder / "some.deb").write_bytes(b"not what was pinned")
        return ""
    monkeypatch.setattr(kernels, "_apt", fake_apt)
    wanted = kernels.Package("some:amd64", "1", hashlib.sha256(b"pinned").hexdigest())
    with pytest.raises(Problem, match="its checksum is"):
        kernels._download(wanted)
    assert list((tmp_path / "packages").iterdir()) == []
    # Nor is it a reason to take another one.
    monkeypatch.setattr(kernels, "pins", lambda: {"image": [wanted]})
    with pytest.raises(Problem, match="its checksum is"):
        kernels._packages("image", print)


def test_a_package_that_has_left_the_mirror_is_replaced_and_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "CACHE", tmp_path)
    new = kernels.Package("some:amd64", "2", hashlib.sha256(b"new").hexdigest())
    old = dataclasses.replace(new, version="1", sha256="0" * 64)

    def fake_apt(*arguments, folder=None):
        if arguments[-1].endswith("=1"):
            raise Lacking("cannot ask apt", "E: Version '1' for 'some' was not found", "do")
        (folder / "some.deb").write_bytes(b"new")
        return ""
    monkeypatch.setattr(kernels, "_apt", fake_apt)
    monkeypatch.setattr(kernels, "pins", lambda: {"image": [old]})
    monkeypatch.setattr(kernels, "newest", lambda name: [new])
    said = []
    assert kernels._packages("image", said.append) == ([new], False)
    assert "have left the mirror" in said[0] and new.path.read_bytes() == b"new"
    new.path.write_bytes(b"cut")        # a damaged one is fetched again
    kernels._download(new)
    assert new.path.read_bytes() == b"new"


def test_a_bzimage_is_unpacked_by_its_header():
    payload = lzma.compress(b"\x7fELF kernel") + b"size"
    image = bytearray(512 * 3)
    image[0x1f1] = 2
    image[0x202:0x206] = b"HdrS"
    image[0x248:0x250] = struct.pack("<II", 0, len(payload))
    assert guest._decompressed(bytes(image) + payload) == b"\x7fELF kernel"
    assert guest._decompressed(bytes(image) + b"unknown compression") is None


def test_steps_that_fail_say_which_and_why():
    said = guest.steps_said("begin release\r\n6.1\r\nend release 0\r\nbegin load\r\ninsmod: no\r\n"
                           "end load 1\r\n")
    unpacked = kernels.Unpacked("6.1", "linux", True, paths.ROOT, paths.ROOT)
    with pytest.raises(Problem, match="load failed in the kernel 6.1: insmod: no"):
        lab._answer(unpacked, said)
    with pytest.raises(Problem, match="booted another kernel"):
        lab._answer(dataclasses.replace(unpacked, release="6.2"),
                    guest.steps_said("begin release\n6.1\nend release 0\n"))


def made(values, bytes_each):
    cell = KernelCell("made", "amd64", "instructions", 2, "0")
    return KernelSamples(cell, {arm: np.array([[v, v], [v, v]]) for arm, v in values.items()},
                         {arm: {"bytes": bytes_each[arm]} for arm in values}, [{}, {}])


def test_bookkeeping_is_what_is_left_beside_the_copy():
    ladder = made({"serial:bulk": 1000, "serial:page": 2048, "serial:page:map=2017": 4096,
                   "cost:empty": 512, "cost:kmap_atomic": 5632},
                  dict.fromkeys(("serial:bulk", "serial:page", "serial:page:map=2017", "cost:empty",
                                 "cost:kmap_atomic"), 2 << 20))
    moved = made({"base:512:there": 52_200, "huge:1:there": 2024},
                 {"base:512:there": 2 << 20, "huge:1:there": 2 << 20})
    assert moves.bookkeeping(moved, ladder, "base:512:there") == 100
    assert moves.bookkeeping(moved, ladder, "huge:1:there") == 2
    assert rungs.cost(ladder, "cost:kmap_atomic") == 10
    assert rungs.beyond_bare(ladder, "serial:page:map=2017") == 4
    assert rungs.beyond_bare(ladder, "serial:bulk:mc") is None


def test_what_a_step_adds_is_told_for_each_folio():
    steps = made({"base:512:live=loop:there": 512_000, "base:512:live=bulk:there": 1_024_000},
                 {"base:512:live=loop:there": 2 << 20, "base:512:live=bulk:there": 2 << 20})
    assert live.step_cost(steps, "base:512", "bulk") == 1000
    assert moves.row_label("base:512:mbind") == "512 base pages, mbind(2)"
    assert moves.row_label("huge:1") == "1 huge page"
