# SPDX-License-Identifier: MIT
"""The checklist of evaluators: what is taken away is missing, and what is added is found."""

import re
import shutil

import pytest

from artifact import badge, paths

KEPT = ("ARTIFACT.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md",
        "requirements.txt")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A copy of what the checklist looks at, to be damaged."""
    root = tmp_path / "copy"
    root.mkdir()
    for name in KEPT:
        shutil.copy(paths.ROOT / name, root / name)
    for name in ("artifact", "ctools", "data", "notebooks", "tests"):
        shutil.copytree(paths.ROOT / name, root / name,
                        ignore=shutil.ignore_patterns("__pycache__", "pagecopy*"))
    monkeypatch.setattr(paths, "ROOT", root)
    monkeypatch.setattr(paths, "RECORDED", root / "data" / "recorded")
    return root


def changed(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


EVERY = [check for checks in badge.CHECKLIST.values() for check in checks]
TAKEN = {
    badge.licence: lambda root: (root / "LICENSE").unlink(),
    badge.data_licence: lambda root: changed(root / "data/README.md", "data may be used", "data"),
    badge.marked: lambda root: (root / "ctools/new.c").write_text("int x;\n"),
    badge.folders: lambda root: (root / "scratch").mkdir(),
    badge.recorded_machine: lambda root: (
        root / "data/recorded/kvm-epyc-2cpu/machine.json").write_text("{}"),
    badge.needs: lambda root: changed(root / "Makefile", "check: env", "look: env"),
    badge.pinned: lambda root: changed(root / "requirements.txt", "numpy==", "numpy>="),
    badge.resources: lambda root: changed(root / "ARTIFACT.md", "| dispatch |", "| dispatches |"),
    badge.extension: lambda root: changed(root / "CONTRIBUTING.md", "**A figure.**", "**A poem.**"),
    badge.anonymous: lambda root: (root / "data/note").write_text("see /home/somebody/x"),
    badge.clean_notebooks: lambda root: changed(
        root / "notebooks/03-dispatch.ipynb", '"execution_count": null', '"execution_count": 3'),
    badge.one_command: lambda root: changed(root / "Makefile", "figures: env", "draw: env"),
    badge.verdicts: lambda root: shutil.rmtree(root / "data/recorded/kvm-epyc-2cpu/cells"),
    badge.machines: lambda root: shutil.rmtree(root / "data/recorded"),
    badge.pictures: lambda root: (root / "notebooks/rendered/03-dispatch.md").write_text("none"),
    badge.repetitions: lambda root: shutil.rmtree(root / "data/recorded"),
    badge.uncovered: lambda root: changed(root / "README.md", "Not covered here", "Covered"),
}
ADDED = {
    badge.archived: lambda root: (root / "CITATION.cff").write_text(
        (root / "CITATION.cff").read_text() + "doi: 10.5281/zenodo.1234567\n"),
    badge.container: lambda root: (root / "Containerfile").touch(),
}


def test_every_item_is_tried_both_ways():
    assert {*TAKEN, *ADDED} == set(EVERY) and len({check.__doc__ for check in EVERY}) == len(EVERY)


@pytest.mark.parametrize("check", TAKEN, ids=lambda check: check.__name__)
def test_evidence_that_is_taken_away_is_missing(tree, check):
    assert badge.evidence(check)[1] == ""
    TAKEN[check](tree)
    found, why = badge.evidence(check)
    assert not found and why and "\n" not in why


@pytest.mark.parametrize("check", ADDED, ids=lambda check: check.__name__)
def test_evidence_that_is_added_is_found(tree, check):
    assert badge.evidence(check)[1]
    ADDED[check](tree)
    assert badge.evidence(check)[0]


def test_machines_of_one_name_may_be_of_two_kinds(tree):
    assert badge.machines().endswith("3 recorded runs, of 2 kinds of machine")
    changed(tree / "data/recorded/kvm-epyc-2cpu/machine.json", '"25/17/1"', '"25/33/1"')
    assert badge.machines().endswith("of 3 kinds of machine")


def test_the_list_fits_a_terminal_and_counts(artifact):
    done = artifact("badge")
    assert (done.returncode, done.stderr) == (0, "")
    *listed, tally = done.stdout.splitlines()
    assert max(map(len, listed)) <= badge.COLUMNS
    missing = sum(" missing: " in line for line in listed)
    assert re.match(rf"{len(EVERY) - missing} of {len(EVERY)} found", tally)


@pytest.mark.parametrize("damage", [lambda content: content[:500], lambda content: b"hello"])
def test_a_damaged_cell_is_missing_and_no_traceback(tree, damage):
    cell = next((tree / "data/recorded/kvm-epyc-2cpu/cells").glob("*.json.gz"))
    cell.write_bytes(damage(cell.read_bytes()))
    assert "missing: a file cannot be read" in "\n".join(badge.lines())
