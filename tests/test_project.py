# SPDX-License-Identifier: MIT
"""The project itself: what the README names exists, and nothing rots."""

import re
import subprocess

import pytest
import yaml

from artifact import ctools, paths, planning, questions
from tests.conftest import not_of_a_make

README = (paths.ROOT / "README.md").read_text()
MAKEFILE = (paths.ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def tracked():
    listed = subprocess.run(["git", "-C", paths.ROOT, "ls-files"], capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [paths.ROOT / line for line in listed.stdout.splitlines()]


def test_targets_of_the_readme_exist():
    quoted = re.findall(r"```\n(.*?)```|`([^`]+)`", README, re.DOTALL)
    commands = "\n".join(block or inline for block, inline in quoted)
    named = set(re.findall(r"^make ([a-z-]+)", commands, re.MULTILINE))
    assert {"reproduce", "test"} <= named <= TARGETS
    assert not TARGETS - named - {"env", "pagecopy"}


def test_paths_of_the_readme_exist():
    built = ("ctools/pagecopy", "ctools/movepages")
    for path in re.findall(r"`((?:ctools|artifact|notebooks|data|tests)/[^` ]*)`", README):
        assert list(paths.ROOT.glob(path.rstrip("/"))) or path in built, path
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (paths.ROOT / link).exists(), link


def test_commands_of_the_readme_are_understood(pagecopy):
    for line in re.findall(r"^\$? ?ctools/pagecopy (.+)$", README, re.MULTILINE):
        command = line.split("#")[0].split()
        if "--" not in line or "--verify" not in line:
            command += ["--verify", "--pairs=8", "--backing=auto"]
        status, _, said = pagecopy(*command)
        assert status == 0, (line, said)
    for name, arguments in re.findall(r'NB=(\S+) ARGS="([^"]*)"', README):
        planning.parse(questions.find(name), arguments.split())


def test_every_folder_is_in_the_readme():
    folders = {path.relative_to(paths.ROOT).parts[0] for path in tracked()
               if len(path.relative_to(paths.ROOT).parts) > 1}
    for folder in folders - {".ci"}:
        assert f"`{folder}/" in README, folder


def test_first_screen_has_the_two_commands():
    screen = README.splitlines()[:40]
    assert any("make reproduce" in line for line in screen)
    assert any("make test" in line for line in screen)


def test_licence_line_in_every_source():
    for path in tracked():
        if path.suffix in (".c", ".h", ".py", ".j2") or path.name == "Makefile":
            # A module that GPL-only symbols are open to is under both licences.
            licence = "GPL-2.0 OR MIT" if "kmod" in path.parts else "MIT"
            assert f"SPDX-License-Identifier: {licence}\n" in path.read_text()[:200] \
                or f"SPDX-License-Identifier: {licence} " in path.read_text()[:200], path
    assert "MIT License" in (paths.ROOT / "LICENSE").read_text()


def test_nothing_built_or_measured_here_is_committed():
    for path in tracked():
        assert path.suffix not in (".o", ".pyc", ".html"), path
        assert path.name not in ("pagecopy", "pagecopy-planted"), path


def test_one_list_of_versions():
    environment = yaml.safe_load((paths.ROOT / "environment.yml").read_text())
    pip, = (d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert "-r requirements.txt" in pip and "--require-hashes" in pip
    pinned = (paths.ROOT / "requirements.txt").read_text()
    for line in (paths.ROOT / "requirements.in").read_text().splitlines():
        if line and not line.startswith("#"):
            name = line.partition("==")[0]
            assert re.search(rf"^{name}==\S+.* \\\n    --hash=sha256:", pinned, re.MULTILINE), line


def test_citation_is_valid_yaml():
    citation = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] and citation["license"] == "MIT"


def test_help_lists_every_target():
    shown = subprocess.run(["make", "-f", paths.ROOT / "Makefile", "help"], cwd="/",
                           capture_output=True, text=True).stdout
    for target in TARGETS - {"env", "help"}:
        assert re.search(rf"^  {target} ", shown, re.MULTILINE), target


@pytest.mark.parametrize("arguments, message", [
    (["PYTHON=no-such-python"], "is not Python 3.11 or newer"),
    (["CC=no-such-compiler"], "no C compiler 'no-such-compiler'"),
    (["PY=/bin/false"], "lacks packages"),
])
def test_what_a_bare_machine_lacks_is_one_line(arguments, message):
    done = subprocess.run(["make", "-s", "-C", paths.ROOT, "env", *arguments],
                          capture_output=True, text=True, env=not_of_a_make())
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode and len(said) == 1 and message in said[0]


def test_help_of_pagecopy_names_every_option():
    source = (paths.CTOOLS / "pagecopy.c").read_text()
    options = re.findall(r'\{ "([a-z-]+)", (?:no|required)_argument', source)
    shown = subprocess.run([ctools.build(), "--help"], capture_output=True, text=True).stdout
    assert options and all(f"--{option}" in shown for option in options)
