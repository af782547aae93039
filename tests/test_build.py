# SPDX-License-Identifier: MIT
"""Building: with any compiler there is, or a line that says what is missing."""

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


def test_arm64_copies_every_byte(tmp_path):
    compiler, emulator = "aarch64-linux-gnu-gcc", shutil.which("qemu-aarch64") or \
        shutil.which("qemu-aarch64-static")
    if not shutil.which(compiler) or not emulator:
        pytest.skip("needs gcc-aarch64-linux-gnu and qemu-user")
    program = tmp_path / "pagecopy-arm64"
    subprocess.run([compiler, "-std=gnu11", "-O2", "-static", "-Wall", "-Wextra", "-Werror",
                    "-DBUILD_FLAGS=\"\"", *SOURCES, "-o", program, "-pthread", "-lm"], check=True)
    done = subprocess.run([emulator, program, "--verify", "--backing=auto", "--pairs=4",
                           "--huge=64K"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for primitive in ("ldp-stnp", "ldp-stp", "libc", "word8"):
        assert f"serial:bulk:{primitive}: every byte right" in done.stdout
    listed = subprocess.run([emulator, program, "--list"], capture_output=True, text=True).stdout
    assert "needs an x86-64 CPU" in listed


def test_readers_build_it_alone(tmp_path):
    copy = tmp_path / "ctools"
    shutil.copytree(paths.CTOOLS, copy, ignore=shutil.ignore_patterns("pagecopy*[!ch]"))
    subprocess.run(["make", "-s", "-C", str(copy)], check=True)
    assert (copy / "pagecopy").exists()
