# SPDX-License-Identifier: MIT
"""The model of threads: recovers what it was made of, and says what it cannot tell."""

import math

import numpy as np
import pandas as pd
import pytest

from artifact import measured, model, paths

KIB = 1 << 10


def rows(sizes=(4 * KIB, 64 * KIB, 2048 * KIB), threads=(1, 2, 4, 8, 16), total=64 << 20):
    """As many folios of each size as fill a call, at each count of threads."""
    frame = pd.DataFrame([(n, n, size, total / size, total / 4096 if size < model.HUGE else 0)
                          for size in sizes for n in threads],
                         columns=["threads", "helpers", "folio", "folios", "entries"])
    return frame.astype(float)


def made(truth, frame, **options):
    return model.Table("made", frame.assign(gbps=truth.gbps(frame)), **options)


def noisy(table, share=0.05):
    logs = np.random.default_rng(3).normal(0, share, len(table.rows))
    return model.Table("noisy", table.rows.assign(gbps=table.rows["gbps"] * np.exp(logs)))


TRUTH = model.Fit(6.0, 30.0, 100e-6, 0.5e-6)


def test_four_numbers_are_found_again():
    found = model.fit(made(TRUTH, rows()))
    for name in ("one", "limit", "dispatch", "per_folio"):
        assert getattr(found, name) == pytest.approx(getattr(TRUTH, name), rel=0.02)


def test_a_folio_and_each_of_its_entries_cost_what_is_said():
    call = pd.DataFrame({"threads": [2], "helpers": [1], "folio": [16 * KIB], "folios": [3],
                         "entries": [12]})
    seconds, = model.Fit(5.0, 8.0, 1e-3, 1e-2).seconds(call)
    assert seconds == pytest.approx(1e-3 + (3 + 12 / 2) * 1e-2 + 3 * 16 * KIB / 8e9)


def test_a_series_tells_no_number_that_it_does_not_vary():
    one_size = made(TRUTH, rows(sizes=(2048 * KIB,)))
    assert one_size.numbers == ("one", "limit", "dispatch") and model.fit(one_size).per_folio == 0
    assert made(TRUTH, rows(), per_call=False).numbers == ("one", "limit", "per_folio")


def test_a_dispatch_of_nothing_is_not_told_from_0_and_a_large_one_is():
    free = model.Fit(TRUTH.one, TRUTH.limit, 0.0, TRUTH.per_folio)
    assert "not told from 0" in model._number(model.judge(noisy(made(free, rows()))), "dispatch", 1e6)
    told = model.judge(noisy(made(TRUTH, rows(total=4 << 20))))
    assert told.numbers["dispatch"].low > 0
    assert "not told" not in model._number(told, "dispatch", 1e6)


def test_a_line_runs_between_the_neighbours_in_one_thing():
    table = made(TRUTH, rows())
    middle = (table.rows["folio"] == 64 * KIB) & (table.rows["threads"] == 4)
    row = table.rows[middle].iloc[0]
    size = table.rows["folio"] == row["folio"]
    beside = {n: table.rows[size & (table.rows["threads"] == n)]["gbps"].item() for n in (2, 8)}
    assert model.line(table.rows[~middle], row) == pytest.approx(math.sqrt(beside[2] * beside[8]))
    # 64 KiB is four doublings from 4 KiB, and five from 2 MiB.
    at_4 = table.rows[~size & (table.rows["threads"] == 4)].sort_values("folio")["gbps"]
    expected = math.exp(np.interp(4, [0, 9], np.log(at_4)))
    assert model.line(table.rows[~size], row) == pytest.approx(expected)
    assert math.isnan(model.line(table.rows[middle], row))


def test_a_row_that_the_model_cannot_know_shows_as_its_error():
    """As two chiplets: slow until the first is full, then twice as fast."""
    frame = rows(sizes=(2048 * KIB,)).assign(gbps=[10.4, 10.9, 11.0, 11.1, 17.9])
    found = model.judge(model.Table("bent", frame, per_call=False)).by_row.model
    assert found.argmax() in (0, 4) and found.max() > 30


def test_errors_are_of_fits_that_have_not_seen_the_rows():
    table = noisy(made(TRUTH, rows(threads=(1, 4, 16))), share=0.2)
    found = model.judge(table)
    for gone, off in ((table.rows.index == 0, found.by_row.model[:1]),
                      (table.rows["folio"] == 4 * KIB, found.by_size.model[:3])):
        seen = model.fit(model.Table("the rest", table.rows[~gone]))
        ratio = seen.gbps(table.rows[gone]) / table.rows["gbps"][gone]
        assert np.allclose(off, 100 * np.expm1(np.abs(np.log(ratio))))


@pytest.fixture(scope="module")
def published_fits():
    return {each.table.name: each for each in model._published()}


def test_published_series_are_found_and_fitted(published_fits):
    assert {name.split()[0] for name in published_fits} == {"S08", "S11", "S12"}
    for each in published_fits.values():
        assert len(each.table.rows) >= len(each.numbers) + model.LEAST_MORE
        assert np.median(each.by_row.model) < 25 and len(each.by_row.line) == len(each.table.rows)


def test_the_series_with_many_folio_sizes_decides_for_a_cost_per_folio(published_fits):
    s12 = published_fits["S12 mtcopy"]
    assert set(s12.numbers) == {"one", "limit", "dispatch", "per_folio"}
    assert s12.numbers["per_folio"].low > 0
    assert np.median(s12.by_row.model) < 8
    # Where a whole size is missing the model beats the line twice over.
    assert 2 * np.median(s12.by_size.model) < np.median(s12.by_size.line)
    without = model.fit(s12.table, ("one", "limit", "dispatch")).gbps(s12.table.rows)
    off = 100 * np.expm1(np.abs(np.log(without / s12.table.rows["gbps"])))
    assert np.median(off) > 2 * np.median(s12.by_row.model)


def test_own_teams_are_a_series_over_sizes_and_folios():
    run = measured.of(paths.run(paths.recorded_runs()[0]))
    cells = [run.find("threads", label) for label in ("spread-1-folio", "spread-16-folio")]
    table, = model.own_tables([*cells, run.find("break-even", "sizes")])
    assert {"per_folio", "dispatch"} <= set(table.numbers) and table.ours
    assert (table.rows["helpers"] == table.rows["threads"] - 1).all()


def test_the_table_names_domain_and_what_is_not_told(published_fits):
    found = model.fits_table([]).set_index("series")
    s12, s11 = found.loc["S12 mtcopy"], found.loc["S11 fill one CCD first"]
    assert s12["of"] == "folios of 4 KiB to 2 MiB, 1 to 16 threads, 2 MiB to 16 GiB a call"
    assert "not stated" in s11["of"] and "not told: one folio size" in s11["folio, us"]


def test_break_even_is_where_both_take_as_long():
    one, limit, dispatch, threads = 10.0, 25.0, 5e-6, 4
    size = model.pays_from_bytes(one, limit, dispatch, threads)
    machine = model.Fit(one, limit, dispatch, 0.5e-6)
    serial, team = (machine.seconds(model._calls(np.array([size]), n, helpers))
                    for n, helpers in ((1, 0), (threads, threads)))
    assert serial == pytest.approx(team)
    assert model.pays_from_bytes(10.0, 10.0, 5e-6, 4) == math.inf
