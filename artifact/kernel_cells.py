# SPDX-License-Identifier: MIT
"""What the lab's kernels are asked: cells of several experiments, one boot for all."""

from collections.abc import Iterable

from artifact.cells import KernelCell, Skipped
from artifact.host import Host
from artifact.ingredients import not_empty, unique
from artifact.measuring import kernels


def kernel_cells(host: Host, experiments: tuple[str, ...], names: Iterable[str],
                 boots: int) -> tuple[list[KernelCell], Skipped]:
    """Cells for the kernels of those names, and why some are not asked.

    Raises Misuse for a kernel that the lab does not know.
    """
    wanted = unique(names)
    not_empty(lab_kernels=wanted)
    found = [kernels.find(name, host.lab.fetched) for name in wanted]
    if host.lab.lacks:
        return [], (("the virtual machine", host.lab.lacks),)
    cells, absent = [], []
    for kernel in found:
        asked = [e for e in experiments if kernels.answers(kernel, e)]
        if kernel.name not in host.lab.fetched:
            absent.append((f"the {kernel.name} kernel in the virtual machine",
                           "not fetched yet: run make kernel-lab"))
        elif "moves" in experiments and "moves" not in asked:
            absent.append((f"move_pages(2) in the {kernel.name} kernel", "the lab gives it one node"))
        else:
            cells += [KernelCell(experiment, kernel.name, host.lab.unit, boots, host.lab.digest)
                      for experiment in asked]
    return cells, tuple(absent)
