# SPDX-License-Identifier: MIT
"""What a change of the code's shape must leave as it is: which cells a fixed
machine is given, by id, and what is said of the recorded runs.

The texts are in tests/golden; where one must change, the commit says why and
REWRITE=1 make test writes it anew.
"""

import os
from pathlib import Path

import pytest

from artifact import measured, paths, planning
from artifact.questions import QUESTIONS
from artifact.verdicts import claims
from tests.conftest import a_host

GOLDEN = Path(__file__).with_name("golden")
RECORDED = sorted(folder.name for folder in paths.RECORDED.glob("*/"))

HOSTS = {
    "small": a_host(),
    "large": a_host(cpus=range(16), nodes={0: range(0, 16, 2), 1: range(1, 16, 2)},
                    placements={"packed": [0, 2, 4, 6, 1, 3, 5, 7, *range(8, 16)],
                                "sibling": [0, 8, 2, 10, 4, 12, 6, 14, 1, 9, 3, 11, 5, 13, 7, 15]},
                    memory_bytes=256 << 30, energy=("/sys/energy_uj",), no_energy="",
                    high_priority=False, lab_lacks="needs qemu-system-x86"),
    "lonely": a_host(cpus=range(1), memory_bytes=2 << 30)}


def same(name, lines):
    """Compares with the golden text of that name."""
    path, text = GOLDEN / name, "\n".join(lines) + "\n"
    if os.environ.get("REWRITE"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", HOSTS)
def test_a_fixed_machine_is_given_the_same_cells(name):
    lines = []
    for question in QUESTIONS.values():
        found = planning.proposed(question, planning.defaults(question), HOSTS[name])
        lines += [f"{question.notebook}: {cell.id}" for cell in found.cells]
        lines += [f"{question.notebook}: without {what}: {why}" for what, why in found.skipped]
    same(f"cells-{name}.txt", lines)


def told(verdict):
    measured = verdict.measured
    numbers = "" if measured is None else \
        f" {measured.value:.5g} [{measured.low:.5g}, {measured.high:.5g}]"
    return f"{verdict.claim.id}: {verdict.word}{numbers}"


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_run_is_given_the_same_verdicts(name):
    everything = measured.of(paths.run(f"recorded/{name}"))
    same(f"verdicts-{name}.txt", map(told, claims.verdicts(everything)))
