# SPDX-License-Identifier: MIT
"""Samples as a tidy pandas frame, for figures that a reader thinks of."""

import numpy as np
import pandas as pd

from artifact.cells import CALLER_CPU, LOAD_WORK, WORKERS_CPU
from artifact.problem import Misuse
from artifact.samples import AnySamples, KernelSamples, Samples

# What an arm is, told in every row: a Variant's fields to columns with units.
COLUMNS = {"strategy": "strategy", "rule": "rule", "primitive": "primitive", "map": "map",
           "delay_ns": "delay_ns", "extent": "extent_bytes", "folios": "folios",
           "migrators": "migrators", "observe": "observe", "threads": "threads",
           "dispatch": "dispatch", "caller": "caller", "priority": "priority",
           "affinity": "affinity", "chunk": "chunk_bytes", "pick": "pick", "cpus": "scanned_cpus"}


def samples_frame(found: list[AnySamples]) -> pd.DataFrame:
    """One row for each sample. Timed cells have time_ns, of bytes, and where the
    cell has CPU times caller_cpu_ns and workers_cpu_ns; kernels' answers have
    time_ns or instructions."""
    return _joined([_of_kernel(samples) if isinstance(samples, KernelSamples) else
                    _of_cell(samples) for samples in found])


def channel_frame(found: list[AnySamples], channel: str) -> pd.DataFrame:
    """One row for each value of a channel, as "wait": time_ns, or units of the load's
    work, of which a sample may have any number. Raises Misuse where no cell has it."""
    timed = [samples for samples in found if isinstance(samples, Samples)]
    column, scale = ("units", 1) if channel == LOAD_WORK else ("time_ns", 1e9)
    parts = [_rows(samples, arm, [len(each) for each in channels[channel]],
                   **{column: scale * np.concatenate(channels[channel])})
             for samples in timed for arm, channels in samples.channels.items()
             if channel in channels]
    if not parts:
        known = {name for samples in timed for channels in samples.channels.values()
                 for name in channels}
        raise Misuse(f"channel {channel!r}", "no cell of this experiment has it",
                     f"choose from {', '.join(sorted(known)) or 'none'}")
    return _joined(parts)


def counts_frame(found: list[AnySamples]) -> pd.DataFrame:
    """One row for each process of each arm, with a column for each count over it."""
    return _joined([
        _rows(samples, arm, [1] * samples.processes, **samples.counts[arm])
        for samples in found if isinstance(samples, Samples) for arm in samples.cell.arms])


def _of_cell(samples: Samples) -> pd.DataFrame:
    parts = []
    for arm, seconds in samples.seconds.items():
        columns = {"time_ns": 1e9 * seconds.ravel(), "bytes": samples.bytes[arm]}
        for channel, column in ((CALLER_CPU, "caller_cpu_ns"), (WORKERS_CPU, "workers_cpu_ns")):
            used = samples.channels[arm].get(channel)
            # In windows a victim has channels of another length.
            if used is not None and [len(each) for each in used] == [len(e) for e in seconds]:
                columns[column] = 1e9 * np.concatenate(used)
        parts.append(_rows(samples, arm, [len(each) for each in seconds], **columns))
    return _joined(parts)


def _of_kernel(samples: KernelSamples) -> pd.DataFrame:
    column = "instructions" if samples.cell.counted else "time_ns"
    return _joined([pd.DataFrame({
        "cell": samples.cell.id, "experiment": samples.cell.experiment,
        "kernel": samples.facts[0]["kernel"], "arm": arm,
        "boot": np.repeat(np.arange(len(boots)), boots.shape[1]),
        "round": np.tile(np.arange(boots.shape[1]), len(boots)), column: boots.ravel(),
        "bytes": samples.counts[arm]["bytes"]}) for arm, boots in samples.values.items()])


def _rows(samples: Samples, arm: str, counts: list[int], **columns) -> pd.DataFrame:
    """What an arm is, in so many rows for each process, beside other columns."""
    cell, variant = samples.cell, samples.cell.of(arm)
    frame = pd.DataFrame({"process": np.repeat(np.arange(len(counts)), counts),
                          "round": np.concatenate([np.arange(count) for count in counts]),
                          **columns})
    what = {"cell": cell.id, "experiment": cell.experiment, "label": cell.label, "arm": arm,
            "policy": _policy(samples, arm),
            **{column: getattr(variant, field) for field, column in COLUMNS.items()}}
    for place, (column, value) in enumerate(what.items()):
        frame.insert(place, column, value)
    return frame


def _policy(samples: Samples, arm: str) -> str:
    """Its label; "" for what is none, as a serial copy or a team of the thread sweep."""
    try:
        return samples.cell.policy(arm).label
    except KeyError:
        return ""


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def as_markdown(rows: pd.DataFrame) -> str:
    """A frame of texts as a table that Jupyter and code hosts show."""
    lines = [list(rows.columns), ["---"] * len(rows.columns), *rows.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
