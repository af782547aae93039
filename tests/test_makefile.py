# SPDX-License-Identifier: MIT
"""The Makefile in folders of any name: it works there, and nowhere else."""

import subprocess
import sys

import pytest

from artifact import paths

NAMES = ["plain", "a b", "it's", 'say "no"', "$HOME `id` $(id)", "\u00fc\u4e2d", "a  b\\c", "#1;2&3"]


@pytest.fixture(params=NAMES)
def clone(tmp_path, request):
    """A copy of what the cheap targets need, with a neighbour at each beginning of its name."""
    for nth in range(1, len(request.param)):
        beginning = tmp_path / request.param[:nth].rstrip()
        for folder in (".venv", "results"):
            (beginning / folder).mkdir(parents=True, exist_ok=True)
    folder = tmp_path / request.param / "clone"
    (folder / "ctools").mkdir(parents=True)
    for name in ("Makefile", "ctools/Makefile", "requirements.txt"):
        (folder / name).write_bytes((paths.ROOT / name).read_bytes())
    for name in ("artifact", "data", "notebooks"):
        (folder / name).symlink_to(paths.ROOT / name)
    for name in (".venv", "results"):
        (folder / name).mkdir()
    return folder


def run(*arguments, cwd):
    return subprocess.run(["make", "-s", "--no-print-directory", *arguments], cwd=cwd, text=True,
                          capture_output=True)


def test_every_way_to_call_it_finds_its_folder(clone):
    for arguments, cwd in (([], clone), (["-C", str(clone)], "/"),
                           (["-f", str(clone / "Makefile")], "/"),
                           (["-f", "clone/Makefile"], clone.parent)):
        done = run(*arguments, "help", cwd=cwd)
        assert (done.returncode, done.stderr) == (0, "") and "reproduce" in done.stdout


def test_distclean_takes_what_is_there_and_no_neighbours(clone, tmp_path):
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(clone)}
    done = run("distclean", cwd=clone)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (clone / ".venv").exists() and not (clone / "results").exists()
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(clone)} == before
    assert (paths.ROOT / "artifact").is_dir()


@pytest.mark.parametrize("clone", ["it's $HOME  \u00fc"], indirect=True)
def test_the_package_runs_there(clone):
    recorded = sorted(folder.name for folder in paths.RECORDED.glob("*/"))[0]
    done = run("claims", f"RUN=recorded/{recorded}", f"PY={sys.executable}", cwd=clone)
    assert done.returncode == 0, done.stderr
    assert "not applicable" in done.stdout.splitlines()[-1]
