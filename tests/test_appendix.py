# SPDX-License-Identifier: MIT
"""ARTIFACT.md: made of the recorded runs, whole, and not stale."""

import json
import re
import shutil

import pytest

from artifact import appendix, measured, paths, rendering
from artifact.estimate import Estimate
from artifact.problem import Damaged
from artifact.verdicts import claims

PAGE = appendix.FILE.read_text()


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A copy of the recorded runs, to be changed."""
    folder = tmp_path / "recorded"
    shutil.copytree(paths.RECORDED, folder)
    monkeypatch.setattr(paths, "RECORDED", folder)
    return folder


def test_it_is_that_of_the_recorded_runs():
    """Else: make rendered."""
    assert appendix.text() == PAGE, "ARTIFACT.md is stale: make rendered"


def test_every_claim_and_every_timed_experiment_has_a_row():
    for claim in claims.published_claims():
        assert len(re.findall(rf"^\| {claim.id} \|", PAGE, re.MULTILINE)) == 1, claim.id
    for name in paths.recorded_runs():
        for samples in measured.of(paths.run(name)).timed:
            assert f"\n| {samples.cell.experiment} |" in PAGE


def test_rows_have_as_many_cells_as_their_table():
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        rows = table.splitlines()
        assert re.fullmatch(r"[|:-]+", rows[1]), rows[:2]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, rows[0]


def test_it_is_short_and_its_links_lead_somewhere():
    prose = [line for line in PAGE.splitlines() if not line.startswith("|")]
    assert len(" ".join(prose).split()) <= 1200
    for link in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (paths.ROOT / link).exists(), link


def test_no_number_is_typed_into_it():
    """What is left of the template has digits in names alone."""
    template = (rendering.TEMPLATES / "appendix.md.j2").read_text()
    typed = re.sub(r"{#.*?#}|{{.*?}}|{%.*?%}|`[^`]*`", "", template, flags=re.DOTALL)
    assert not re.findall(r".*\d.*", typed)


def test_runs_of_two_machines_are_not_called_one(recorded):
    """Not even where both have a CPU of the same name."""
    alone = "All recorded runs are of this one kind of machine"
    assert alone not in PAGE
    shutil.rmtree(recorded / OF_OLD)
    assert alone in appendix.text()
    record = recorded / "kvm-epyc-2cpu-again" / "machine.json"
    changed = json.loads(record.read_text())
    changed["cpu"]["family_model_stepping"] = "26/2/1"
    record.write_text(json.dumps(changed))
    found = appendix.text()
    assert alone not in found and "stepping 26/2/1" in found


OF_OLD = "kvm-epyc-zen3-2cpu"       # whose arms copy in other ways
BEST = r"^\| best serial copy over the page-by-page loop \| (.*) \|$"


def test_expected_is_where_all_runs_reach(recorded):
    row, = re.findall(BEST, PAGE, re.MULTILINE)
    expected, one, again, _ = row.split(" | ")
    ends = [[float(number) for number in re.findall(r"[\d.]+", each)[1:]] for each in (one, again)]
    assert expected == f"{min(low for low, _ in ends):.2f} to {max(high for _, high in ends):.2f}"
    shutil.rmtree(recorded / OF_OLD)
    without, = re.findall(BEST, appendix.text(), re.MULTILINE)
    assert without.split(" | ") == [expected, one, again], "a run with other arms is not expected"


def test_expected_is_that_of_all_runs_with_arms_of_now():
    ratios = Estimate(1.0, 0.9, 1.1), Estimate(2.0, 1.5, 2.5), None
    assert appendix.Expected("", ratios, (True, True, True)).spread == "0.90 to 2.50"
    assert appendix.Expected("", ratios, (True, False, True)).spread == "0.90 to 1.10"
    assert appendix.Expected("", ratios, (False, False, True)).spread == "0.90 to 2.50"


def test_what_a_run_has_no_ratio_of_is_a_dash():
    assert "| None" not in PAGE and f"| {appendix.NONE} |" in PAGE


def test_without_a_recorded_run_it_says_so(recorded):
    shutil.rmtree(recorded)
    with pytest.raises(Damaged, match="no recorded run"):
        appendix.text()
