# SPDX-License-Identifier: MIT
"""Knobs, and a ratio that sharpens while one looks: notebooks/explore.ipynb.

A quick look, kept nowhere. What is to be cited comes from make reproduce.
"""

_shown: list = []       # the panel that was shown last


def show() -> None:
    """Shows the knobs below a notebook's cell. Raises Lacking where pagecopy cannot be built."""
    from IPython.display import display

    from artifact import host
    from artifact.explore.panel import Panel

    for before in _shown:       # its buttons leave the page, so nobody could stop it
        before.stop.click()
    _shown[:] = [Panel(host.here())]
    display(_shown[0].box)
