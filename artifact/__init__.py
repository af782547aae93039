# SPDX-License-Identifier: MIT
"""Is copying huge pages in parallel worth it, once the serial copy is good?

The way through: parameters -> ``plan`` (cells) -> ``measure`` (one pyperf
file per finished cell) -> ``load`` -> ``estimate`` -> ``figures`` and
``answers`` -> ``notebooks`` -> ``report``. Nothing flows back.
"""

__version__ = "1.0"
