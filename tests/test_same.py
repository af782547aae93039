# SPDX-License-Identifier: MIT
"""What a change of the code's shape must leave as it is: which cells a fixed
machine is given, by id, and what is said of the recorded runs.

The texts are in tests/golden; where one must change, the commit says why and
REWRITE=1 make test writes it anew.
"""

import os
from pathlib import Path

import pytest

from artifact import claims, ctools, kernels, machine, notebooks, paths, plan

GOLDEN = Path(__file__).with_name("golden")
RECORDED = sorted(folder.name for folder in paths.RECORDED.glob("*/"))

X86 = ("movsq", "movsb", "unrolled", "regs64", "avx2", "avx512", "nt-sse2", "nt-avx2", "nt-avx512",
       "nt-4pages")
LISTED = {
    "copy_page": "movsq", "high_priority": True,
    "primitives": {
        **{name: {"lacks": None} for name in ("memcpy", "word8", "byte", "empty", *X86)},
        **{name: {"lacks": "an arm64 CPU"} for name in ("ldp-stnp", "ldp-stp")}}}

SMALL = {"cpus": [0, 1], "placements": {"spread": [0, 1]}, "nodes": [0], "bytes": 24 << 30,
         "near": [0, 1], "energy": [], "high_priority": True, "lab": True}
LARGE = {"cpus": list(range(16)), "nodes": [0, 1], "bytes": 256 << 30, "near": list(range(0, 16, 2)),
         "placements": {"spread": list(range(16)), "packed": [0, 2, 4, 6, 1, 3, 5, 7, *range(8, 16)],
                        "sibling": [0, 8, 2, 10, 4, 12, 6, 14, 1, 9, 3, 11, 5, 13, 7, 15]},
         "energy": ["/sys/energy_uj"], "high_priority": False, "lab": False}
LONELY = {**SMALL, "cpus": [0], "placements": {"spread": [0]}, "near": [0], "bytes": 2 << 30}
HOSTS = {"small": SMALL, "large": LARGE, "lonely": LONELY}


def pretend(monkeypatch, host):
    """Every question about the machine is answered from the given facts."""
    listed = {**LISTED, "high_priority": host["high_priority"]}
    monkeypatch.setattr(ctools, "_listed", lambda: listed)
    monkeypatch.setattr(machine, "usable_cpus", lambda: host["cpus"])
    monkeypatch.setattr(machine, "placements", lambda: host["placements"])
    monkeypatch.setattr(machine, "memory_nodes", lambda: host["nodes"])
    monkeypatch.setattr(machine, "memory_bytes", lambda: host["bytes"])
    monkeypatch.setattr(machine, "on_one_node", lambda cpus: host["near"])
    monkeypatch.setattr(machine, "energy_counters", lambda: (
        host["energy"], "" if host["energy"] else "no counters"))
    monkeypatch.setattr(plan, "_refused", lambda placement: "")
    monkeypatch.setattr(kernels, "lacking", lambda: "" if host["lab"] else "needs qemu-system-x86")
    monkeypatch.setattr(kernels, "fetched", lambda kernel: True)
    monkeypatch.setattr(kernels, "has_kvm", lambda: False)
    monkeypatch.setattr(kernels, "digest", lambda: "00000000")


def same(name, lines):
    """Compares with the golden text of that name."""
    path, text = GOLDEN / name, "\n".join(lines) + "\n"
    if os.environ.get("REWRITE"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", HOSTS)
def test_a_fixed_machine_is_given_the_same_cells(monkeypatch, name):
    pretend(monkeypatch, HOSTS[name])
    lines = []
    for notebook in notebooks.MEASURING:
        own = {key: value for key, value in notebooks.defaults(notebook).items() if key != "run"}
        found = notebooks.PLANS[notebook](**own)
        lines += [f"{notebook}: {cell.id}" for cell in found.cells]
        lines += [f"{notebook}: without {what}: {why}" for what, why in found.skipped]
    same(f"cells-{name}.txt", lines)


def told(verdict):
    measured = verdict.measured
    numbers = "" if measured is None else \
        f" {measured.value:.5g} [{measured.low:.5g}, {measured.high:.5g}]"
    return f"{verdict.claim.id}: {verdict.word}{numbers}"


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_run_is_given_the_same_verdicts(name):
    run = paths.run(f"recorded/{name}")
    same(f"verdicts-{name}.txt", map(told, claims.verdicts(notebooks.evidence(run))))
