# SPDX-License-Identifier: MIT
"""Building: with any compiler there is, or a line that says what is missing."""

import json
import re
import shutil
import subprocess

import pytest

from artifact import paths


def make(*arguments):
    return subprocess.run(["make", "-C", str(paths.CTOOLS), *arguments], capture_output=True,
                          text=True)


def sources(target):
    """The files of a program, as ctools/Makefile knows them."""
    listed = make("-s", "--no-print-directory", target).stdout.split()
    return [str(paths.CTOOLS / name) for name in listed]


SOURCES = sources("sources")
PROGRAMS = {"pagecopy": SOURCES, "movepages": sources("movepages-sources")}


def test_no_compiler_is_one_clear_line():
    done = make("-B", "-s", "--no-print-directory", "pagecopy", "CC=no-such-compiler")
    assert done.returncode
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert said == ["no C compiler 'no-such-compiler': install gcc, or make CC=clang"]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_warnings(tmp_path, compiler, program):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    subprocess.run([compiler, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Werror",
                    "-Wstrict-prototypes", "-Wmissing-prototypes", "-DBUILD_FLAGS=\"\"",
                    *PROGRAMS[program], "-o", str(tmp_path / program), "-pthread", "-lm"], check=True)


@pytest.fixture(scope="module")
def arm64(tmp_path_factory):
    """Runs pagecopy for arm64; .program is where it is."""
    compiler, emulator = "aarch64-linux-gnu-gcc", shutil.which("qemu-aarch64") or \
        shutil.which("qemu-aarch64-static")
    if not shutil.which(compiler) or not emulator:
        pytest.skip("needs gcc-aarch64-linux-gnu and qemu-user")
    program = tmp_path_factory.mktemp("arm64") / "pagecopy-arm64"
    subprocess.run([compiler, "-std=gnu11", "-O2", "-static", "-Wall", "-Wextra", "-Werror",
                    "-DBUILD_FLAGS=\"\"", *SOURCES, "-o", program, "-pthread", "-lm"], check=True)

    def run(*arguments):
        done = subprocess.run([emulator, "-cpu", "max", program, *arguments],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout
    run.program = program
    return run


def test_arm64_copies_every_byte(arm64):
    said = arm64("--verify", "--backing=auto", "--pairs=4", "--huge=64K")
    for primitive in ("ldp-stnp", "ldp-stp", "libc", "word8"):
        assert f"serial:bulk:{primitive}: every byte right" in said
    assert "needs an x86-64 CPU" in arm64("--list")


@pytest.mark.parametrize("lines", [1, 2, 3, 4, 5, 7])
def test_arm64_copies_any_number_of_lines(arm64, lines):
    variants = [f"serial:bulk:{name}" for name, it in
                json.loads(arm64("--list", "--json"))["primitives"].items()
                if not it["lacks"] and name != "empty"]
    said = arm64("--verify", "--backing=auto", "--pairs=4", "--base=64", f"--huge={64 * lines}",
                 *variants)
    assert said.count("every byte right") == len(variants) > 4


def test_arm64_migrates_with_copy_page_then_and_now(arm64):
    listed = json.loads(arm64("--list", "--json"))
    mops = not listed["primitives"]["mops"]["lacks"]    # QEMU knows it from 8.2 on
    assert listed["copy_page"] == "ldp-stnp"
    assert listed["folio_mc_copy"] == ("mops" if mops else "ldp-stnp")
    text = arm64("--list")
    assert "today's on this CPU" in text.split(f"{listed['folio_mc_copy']}:map=2026")[1][:300]


def test_arm64_copy_page_stores_a_block_while_it_loads_the_next(arm64):
    def instructions(function):
        text = subprocess.run(["aarch64-linux-gnu-objdump", "--no-show-raw-insn",
                               f"--disassemble={function}", arm64.program],
                              capture_output=True, text=True, check=True).stdout
        return re.findall(r"^ +[0-9a-f]+:\t(\S+)", text, re.MULTILINE)

    found = " ".join(word for word in instructions("copy_ldp_stnp") if word in ("ldp", "stnp"))
    assert " ".join(["ldp"] * 8 + ["stnp ldp"] * 8 + ["stnp"] * 8) in found
    assert [word for word in instructions("copy_mops") if word.startswith("cpy")] == \
        ["cpypwn", "cpymwn", "cpyewn"]


def test_readers_build_it_alone(tmp_path):
    copy = tmp_path / "ctools"
    shutil.copytree(paths.CTOOLS, copy, ignore=shutil.ignore_patterns("pagecopy*[!ch]"))
    subprocess.run(["make", "-s", "-C", str(copy)], check=True)
    assert (copy / "pagecopy").exists()
