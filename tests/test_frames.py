# SPDX-License-Identifier: MIT
"""Samples as frames: every one of them, with what it is, in columns with units."""

import numpy as np
import pytest

from artifact import frames, measured, paths
from artifact.problem import Misuse

RECORDED = sorted(folder.name for folder in paths.RECORDED.glob("*/"))


@pytest.fixture(scope="module")
def cells():
    return measured.of(paths.run(f"recorded/{RECORDED[0]}")).cells


def test_every_sample_is_a_row_with_its_arm(cells):
    frame, found = frames.samples_frame(cells["threads"]), cells["threads"]
    assert len(frame) == sum(times.size for samples in found for times in samples.seconds.values())
    samples = found[0]
    arm = samples.cell.where(strategy="parallel", threads=2)[0]
    rows = frame[(frame["cell"] == samples.cell.id) & (frame["arm"] == arm)]
    assert np.allclose(rows["time_ns"], 1e9 * samples.seconds[arm].ravel())
    assert set(rows["threads"]) == {2} and (rows["caller_cpu_ns"] > 0).all()
    assert list(rows["process"][:samples.cell.rounds]) == [0] * samples.cell.rounds
    assert list(rows["round"][:3]) == [0, 1, 2]


def test_every_experiment_has_a_frame_whose_numbers_name_their_units(cells):
    for found in cells.values():
        frame = frames.samples_frame(found)
        assert len(frame) and not frame.columns.duplicated().any()
        for column in frame.select_dtypes("number"):
            assert column in ("process", "boot", "round", "bytes", "folios", "migrators", "threads",
                              "scanned_cpus", "instructions") or column.endswith(("_ns", "_bytes"))
        assert ("instructions" in frame) != ("time_ns" in frame)


def test_a_channel_has_a_row_for_each_of_its_values(cells):
    frame = frames.channel_frame(cells["load"], "wait")
    assert len(frame) == sum(len(values) for samples in cells["load"]
                             for channels in samples.channels.values()
                             for values in channels.get("wait", []))
    assert (frame["time_ns"] > 0).all()
    assert "2025: unbound, nice 0, caller waits" in set(frame["policy"])
    with pytest.raises(Misuse, match="choose from .*wait"):
        frames.channel_frame(cells["load"], "patience")


def test_counts_have_a_row_for_each_process(cells):
    frame = frames.counts_frame(cells["load"])
    picky = frame[(frame["pick"] == "idle") & (frame["label"] == "0-percent")]
    samples = next(s for s in cells["load"] if s.cell.label == "0-percent")
    assert len(picky) == samples.cell.processes and (picky["scanned"] > 0).all()
    assert "cpu_count" not in frame and "seed" not in frame
