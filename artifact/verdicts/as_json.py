# SPDX-License-Identifier: MIT
"""The verdicts for a program: one JSON document, as data/claims.schema.json has it.

A checker needs nothing else to know what was claimed, what was measured, what
follows, and from which bytes.
"""

import hashlib
import json
import math

from artifact import __version__, machine, paths
from artifact.measured import Measured
from artifact.verdicts.claims import Verdict

FORMAT = 1
SCHEMA = paths.ROOT / "data" / "claims.schema.json"


def text(measured: Measured, found: list[Verdict]) -> str:
    """The document of all verdicts on a run, which measured has."""
    return json.dumps(document(measured, found), indent=1, allow_nan=False)


def document(measured: Measured, found: list[Verdict]) -> dict:
    """The same as JSON-ready values; the schema tells what each of them is."""
    return {
        "format": FORMAT, "run": measured.run.name,
        "machine": machine.summary(measured.machine),
        "measured_with": measured.commits,
        "judged_with": {"pagecopy": __version__, "commit": machine.commit()},
        "provisional": bool(measured.provisional), "progress": measured.provisional,
        "claims": [_claim(measured.run, verdict) for verdict in found]}


def _claim(run: paths.Run, verdict: Verdict) -> dict:
    claim, ratio = verdict.claim, verdict.measured
    return {
        "claim": claim.id, "who": claim.who, "when": claim.when, "says": claim.says,
        "published": claim.published, "published_ratio": _numbers(claim.ratio),
        "test": claim.test or None, "what": claim.what, "region": _numbers(claim.holds),
        "ratio": _number(ratio.value) if ratio else None,
        "interval": _numbers((ratio.low, ratio.high)) if ratio else None,
        "verdict": verdict.word, "reason": verdict.why,
        "at_edge": verdict.at_edge,
        "cells": [{"cell": cell, "sha256": _digests(run, cell)}
                  for cell in dict.fromkeys(verdict.cells)]}


def _number(value: float) -> float | None:
    """JSON knows no infinity; None is an end that is open."""
    return value if math.isfinite(value) else None


def _numbers(values: tuple[float, ...] | None) -> list[float | None] | None:
    return [_number(value) for value in values] if values else None


def _digests(run: paths.Run, cell: str) -> dict[str, str]:
    """Of the files a cell is read from, by their path in the run; so has SHA256SUMS them."""
    finished = run.cell_file(cell)
    files = [finished] if finished.exists() else run.process_files(cell)
    return {str(file.relative_to(run.measured)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files}
