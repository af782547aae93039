# SPDX-License-Identifier: MIT
"""Is copying huge pages in parallel worth it, once the serial copy is good?

The way data takes: parameters -> ``questions`` and ``experiments`` (cells) ->
``plan`` (plan.json) -> ``measuring`` (one pyperf file per finished cell) ->
``samples``, ``measured`` -> ``estimate`` -> ``experiments`` (numbers, figures),
``questions`` (answers), ``verdicts`` -> ``notebook`` -> ``report``. Nothing flows
back. CONTRIBUTING.md says which one or two files a change touches.
"""

__version__ = "1.0"
