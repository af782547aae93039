# SPDX-License-Identifier: MIT
"""The model of threads: recovers what it was made of, and says where it fails."""

import math

import numpy as np
import pytest

from artifact import model

THREADS = np.array([1, 2, 4, 8, 16])


def made(one=6.0, limit=30.0, dispatch=10e-6, size=2 << 20):
    truth = model.Fit(one, limit, dispatch, float(size))
    return model.Table("made", THREADS, truth.gbps(THREADS), float(size))


def test_three_numbers_are_found_again():
    found = model.fit(made())
    assert (found.one, found.limit) == pytest.approx((6.0, 30.0), rel=0.05)
    assert found.dispatch == pytest.approx(10e-6, rel=0.1)
    assert np.allclose(model.left_out_errors(made()), 1, rtol=0.35)


def test_a_row_that_the_model_cannot_know_shows_as_its_error():
    """As two chiplets: slow until the first is full, then twice as fast."""
    bent = model.Table("bent", THREADS, np.array([10.4, 10.9, 11.0, 11.1, 17.9]), 1e9)
    errors = np.abs(np.log(model.left_out_errors(bent)))
    assert errors.argmax() in (0, 4) and errors.max() > 0.3


def test_published_tables_are_found_and_fitted():
    tables = model.published_tables()
    assert {table.name.split()[0] for table in tables} == {"S08", "S11", "S12"} and len(tables) >= 10
    for table in tables:
        assert len(table.threads) >= model.LEAST_ROWS and (np.diff(table.threads) > 0).all()
        fit = model.fit(table)
        misses = np.abs(np.log(fit.gbps(table.threads) / table.gbps))
        assert np.median(misses) < 0.25 and fit.one > 0 and math.isfinite(fit.limit)


def test_break_even_is_where_both_take_as_long():
    one, limit, dispatch, threads = 10.0, 25.0, 5e-6, 4
    size = model.pays_from_bytes(one, limit, dispatch, threads)
    serial = size / (one * 1e9)
    team = threads * dispatch + size / (limit * 1e9)
    assert serial == pytest.approx(team)
    assert model.pays_from_bytes(10.0, 10.0, 5e-6, 4) == math.inf
