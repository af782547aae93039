# SPDX-License-Identifier: MIT
"""one-worker: a worker in place of the caller, who waits. They differ by a percent
or two, which the many arms of the thread sweep leave no time to tell."""

from artifact.cells import Cell
from artifact.host import Host
from artifact.ingredients import Sizes, folios_of, on_cpus


def cells(host: Host, sizes: Sizes, folios: int, processes: int, rounds: int) -> list[Cell]:
    """One cell, of the largest batch."""
    own, spread = host.folio_mc_copy, host.placements["spread"]
    return [Cell("one-worker", f"{folios}-folio",
                 (*sizes.options, on_cpus(spread), f"--rounds={2 * rounds}"),
                 (folios_of(f"serial:bulk:{own}", folios),
                  folios_of(f"parallel:bulk:{own}:threads=1:caller=waits", folios)),
                 processes, quiet=True, sharpness=0.004)]
