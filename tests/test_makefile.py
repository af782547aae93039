# SPDX-License-Identifier: MIT
"""The Makefile in folders of any name: it works there, and nowhere else."""

import string
import subprocess
import sys
from pathlib import Path

import pytest

from artifact import paths
from artifact.measuring import kernels
from tests.conftest import not_of_a_make

NAMES = ["plain", "a b", "it's", 'say "no"', "$HOME `id` $(id)", "\u00fc\u4e2d", "a  b\\c", "#1;2&3",
         " a", "a ", "%,=~*"]


def copied_to(folder):
    """A copy of what the cheap targets need, with an environment and results to lose."""
    (folder / "ctools").mkdir(parents=True)
    for name in ("Makefile", "ctools/Makefile", "requirements.txt"):
        (folder / name).write_bytes((paths.ROOT / name).read_bytes())
    for name in ("artifact", "data", "notebooks"):
        (folder / name).symlink_to(paths.ROOT / name)
    for name in (".venv", "results"):
        (folder / name).mkdir()
    return folder


@pytest.fixture(params=NAMES)
def clone(tmp_path, request):
    """A copy with a neighbour at each beginning of its name."""
    for nth in range(1, len(request.param)):
        beginning = tmp_path / request.param[:nth].rstrip()
        for folder in (".venv", "results"):
            (beginning / folder).mkdir(parents=True, exist_ok=True)
    return copied_to(tmp_path / request.param / "clone")


def run(*arguments, cwd, given=None, **variables):
    return subprocess.run(["make", "-s", "--no-print-directory", *arguments], cwd=cwd, text=True,
                          capture_output=True, input=given, env=not_of_a_make(**variables))


def outside(folder, top):
    """Everything below the top that is not in the folder."""
    return {path for path in top.rglob("*") if not path.is_relative_to(folder)}


def test_every_way_to_call_it_finds_its_folder(clone, tmp_path):
    for arguments, cwd in (([], clone), (["-C", str(clone)], "/"),
                           (["-f", str(clone / "Makefile")], "/"),
                           (["-f", "clone/Makefile"], clone.parent),
                           (["-f", str((clone / "Makefile").relative_to(tmp_path))], tmp_path)):
        done = run(*arguments, "help", cwd=cwd)
        assert (done.returncode, done.stderr) == (0, "") and "reproduce" in done.stdout


def test_distclean_takes_what_is_there_and_no_neighbours(clone, tmp_path):
    before = outside(clone, tmp_path)
    done = run("distclean", cwd=clone)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (clone / ".venv").exists() and not (clone / "results").exists()
    assert outside(clone, tmp_path) == before
    assert (paths.ROOT / "artifact").is_dir()


@pytest.mark.parametrize("name, namesake", [(" a", "a"), ("a ", "a"), ("a  b", "a b"), ("a*", "ab")])
def test_distclean_from_beside_takes_no_namesake(tmp_path, name, namesake):
    clone, other = copied_to(tmp_path / name), copied_to(tmp_path / namesake)
    before = outside(clone, tmp_path)
    done = run("-f", f"{name}/Makefile", "distclean", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (clone / ".venv").exists() and not (clone / "results").exists()
    assert other / "results" in before and outside(clone, tmp_path) == before


def test_a_search_path_for_folders_leads_nowhere_else(tmp_path):
    clone, other = copied_to(tmp_path / "clone"), copied_to(tmp_path / "elsewhere" / "clone")
    done = run("-f", "clone/Makefile", "distclean", cwd=tmp_path,
               CDPATH=str(other.parent))
    assert (done.returncode, done.stderr) == (0, "")
    assert not (clone / "results").exists() and (other / "results").exists()


@pytest.mark.parametrize("overriding", [["-e"], ["ROOT={0}", "VENV={0}/.venv"]])
def test_another_folder_that_is_named_root_is_not_taken(tmp_path, overriding):
    clone, other = copied_to(tmp_path / "clone"), copied_to(tmp_path / "other")
    before = outside(clone, tmp_path)
    done = run(*(word.format(other) for word in overriding), "distclean", cwd=clone,
               ROOT=str(other), VENV=str(other / ".venv"))
    assert (done.returncode, done.stderr) == (0, "")
    assert not (clone / ".venv").exists() and not (clone / "results").exists()
    assert outside(clone, tmp_path) == before


@pytest.mark.parametrize("target", ["distclean", "env", "help"])
@pytest.mark.parametrize("name, namesake, arguments, word", [
    ("a\nb", "a b", [], "line breaks"),
    ("a\n", "a", [], "line breaks"),
    ("a:b", "b", [], "colon"),
    ("a\udcfcb", "b", [], "UTF-8"),
    ("a", "b", ["-f", "../more.mk", "-f", "Makefile"], "no other file"),
    ("a", "b", ["-f", "-"], "no other file"),
])
def test_what_it_cannot_tell_it_does_not_touch(tmp_path, name, namesake, arguments, word, target):
    clone = copied_to(tmp_path / name)
    copied_to(tmp_path / namesake)
    (tmp_path / "more.mk").touch()
    before = set(tmp_path.rglob("*"))
    done = run(*arguments, target, "PYTHON=/bin/false", cwd=clone,
               given=(clone / "Makefile").read_text())
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert word in done.stderr and "nothing is done" in done.stderr
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("clone", ["it's $HOME  \u00fc"], indirect=True)
def test_the_package_runs_there(clone):
    recorded = sorted(folder.name for folder in paths.RECORDED.glob("*/"))[0]
    done = run("claims", f"RUN=recorded/{recorded}", f"PY={sys.executable}", cwd=clone)
    assert done.returncode == 0, done.stderr
    assert "cannot be tested here" in done.stdout.splitlines()[-1]


def test_an_environment_is_made_in_its_folder_once(clone, tmp_path):
    """By a Python that makes one at once, whose pip only notes what it was asked for, and
    warns of what is nobody's business until it fails."""
    made, python = tmp_path / "made", tmp_path / "its own python"
    made.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >>"$0.asked"\n'
                    'echo "WARNING: of no use" >&2\ntest ! -e "$0.fails"\n')
    python.write_text(f'''#!/bin/sh
        test "$1 $2" = "-m venv" || exit 0
        mkdir -p "$3/bin" && cp "{made}" "$3/bin/python"''')
    for program in (made, python):
        program.chmod(0o755)
    before = outside(clone, tmp_path)
    for said in ("making the environment in .venv: once, a minute or two\n", ""):
        done = run("env", f"PYTHON={python}", cwd=clone)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", said)
    asked, = (clone / ".venv" / "bin" / "python.asked").read_text().splitlines()
    assert asked.endswith(f"--require-hashes -r {clone}/requirements.txt")
    assert (clone / ".venv" / "settings").is_dir() and outside(clone, tmp_path) == before
    python.write_text(python.read_text() + ' && touch "$3/bin/python.fails"')
    (clone / "requirements.txt").write_text("# other versions\n")
    done = run("env", f"PYTHON={python}", cwd=clone)
    assert done.returncode and "WARNING: of no use" in done.stderr


def test_the_module_is_not_begun_where_kbuild_cannot_end(tmp_path):
    """The one list of what kbuild takes is in Python, the other in make."""
    makefile = (paths.CTOOLS / "kmod" / "Makefile").read_bytes()
    for character in set(string.punctuation) - {"/"} | {" ", "a", "\u00fc"}:
        folder = tmp_path / f"a{character}b"
        folder.mkdir()
        (folder / "Makefile").write_bytes(makefile)
        done = run("KDIR=/no/headers", cwd=folder)
        said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
        takes = kernels.kbuild_takes(folder)
        assert done.returncode and len(said) == 1, (character, done.stderr)
        assert said[0].startswith("no kernel headers" if takes else "kbuild cannot build"), character
    assert kernels.kbuild_takes(Path("/a/b")) and not kernels.kbuild_takes(Path("/a,b"))
