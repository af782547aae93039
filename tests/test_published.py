# SPDX-License-Identifier: MIT
"""The published figures: checked on load, and consistent with themselves."""

import shutil

import pytest

from artifact import paths, published
from artifact.experiments import map_cost
from artifact.problem import Problem


@pytest.fixture
def copied(tmp_path, monkeypatch):
    shutil.copytree(paths.PUBLISHED, tmp_path / "published")
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path / "published")
    for function in (published.figures, published.sources):
        function.cache_clear()
    yield tmp_path / "published"
    for function in (published.figures, published.sources):
        function.cache_clear()


def test_every_figure_has_a_source_a_unit_and_a_number():
    found = published.figures()
    assert len(found) > 300 and found["value"].notna().all()
    assert set(found["source_id"]) == set(published.sources().index)


def test_rates_follow_from_sizes_and_times():
    """S02 prints GB/s; its sizes and times give them only as GiB/s."""
    found = published.figures()
    for variant in ("thp-migration", "thp+mt-copy"):
        rows = found[(found["source_id"] == "S02") & (found["variant"] == variant)
                     & (found["page_size_kib"] == 2048)].set_index("unit")
        seconds = rows.loc["us", "value"] * 1e-6
        printed = rows.loc["GiB/s (printed GB/s)", "value"]
        assert rows.loc["us", "bytes_moved"] / seconds / 2 ** 30 == pytest.approx(printed, abs=0.01)


def test_what_the_figures_derive_from_them():
    assert map_cost.published_gain() == pytest.approx(658.54 / 227.76)
    assert map_cost.published_cost_ns() == pytest.approx((658.54 - 227.76) / 512 * 1000)


@pytest.mark.parametrize("damage, message", [
    (lambda text: text.replace("S13,", "S99,", 1), "a source that sources.csv lacks"),
    (lambda text: text.replace(",658.54,us", ",fast,us"), "a value that is no number"),
    (lambda text: text.replace(",658.54,us", ",658.54,"), "no unit"),
    (lambda text: text.replace("source_id", "id", 1), "columns are not the documented ones"),
])
def test_damage_is_named_on_load(copied, damage, message):
    path = copied / "figures.csv"
    path.write_text(damage(path.read_text()))
    with pytest.raises(Problem, match=message):
        published.figures()


def test_missing_file_says_how_to_restore_it(copied):
    (copied / "figures.csv").unlink()
    with pytest.raises(Problem, match="git checkout data/published"):
        published.figures()


def test_asking_for_what_is_not_there_is_a_problem():
    with pytest.raises(Problem, match="0 rows fit"):
        published.value("S02", "thp-migration", "furlongs")
