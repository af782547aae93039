# SPDX-License-Identifier: MIT
"""How far a run is, on a terminal: a line for each experiment, and one for all of it.

What is printed meanwhile appears above them. No thread keeps them fresh: they change
between two processes, and nothing is drawn beside one that is timed.
"""

import contextlib
import math
import os
import sys
import time
import typing
from collections.abc import Iterator

from artifact.measuring.progress import Experiment, Progress, clock

if typing.TYPE_CHECKING:    # who has no terminal need not import it
    from rich import live
    from rich.console import Console
    from rich.table import Table

EVERY_SECONDS = 0.5         # at most


def on_terminal() -> bool:
    """Whether what is printed goes to one whose lines can change."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def chosen() -> "type[Live] | None":
    """What shows how far a run is; None where lines are said."""
    return Live if on_terminal() else None


class Live:
    """Shown while it is entered."""

    def __init__(self, progress: Progress, console: "Console | None" = None):
        from rich.console import Console

        self.progress = progress
        self.console = console or Console()
        self.lines: live.Live | None = None
        self.shown = -math.inf

    def __enter__(self) -> "Live":
        from rich import live

        # What another file than the terminal gets is not ours.
        self.lines = live.Live(self._table(), console=self.console, auto_refresh=False,
                               redirect_stderr=sys.stderr.isatty())
        self.lines.start()
        return self

    def __exit__(self, *error) -> None:
        """Leaves the lines as they are last."""
        self._stop(leaves_lines=True)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """The terminal is somebody else's meanwhile."""
        self._stop(leaves_lines=False)
        try:
            yield
        finally:
            self.__enter__()

    def begin(self) -> None:
        """A stage began, whose name is to be seen."""
        self.shown = -math.inf
        self.update()

    def update(self) -> None:
        """One more process is done."""
        now = time.monotonic()
        if self.lines and (now >= self.shown + EVERY_SECONDS or self.progress.is_stage_done):
            self.shown = now
            self.lines.update(self._table(), refresh=True)

    def _stop(self, leaves_lines: bool) -> None:
        if self.lines:
            self.lines.update(self._table())
            self.lines.transient = not leaves_lines
            self.lines.stop()
            self.lines = None

    def _table(self) -> "Table":
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table(box=None, expand=True, pad_edge=False, header_style="dim")
        table.add_column("experiment", no_wrap=True, max_width=len("stage: three quarters"))
        table.add_column("", ratio=1)
        table.add_column("processes", justify="right", no_wrap=True)
        table.add_column("sharp to, of wanted", justify="right", no_wrap=True)
        for each in self._fitting(self.progress.experiments()):
            table.add_row(each.name, ProgressBar(each.wanted, each.there),
                          f"{each.there} of {each.wanted}", _sharpness(each))
        progress = self.progress
        gone, left = progress.gone_seconds, progress.remaining_seconds()
        table.add_row(f"stage: {progress.name}", ProgressBar(gone + left, gone),
                      f"{progress.processes} of {progress.most}",
                      f"{clock(gone)} gone, {clock(left)} left", style="bold")
        return table

    def _fitting(self, experiments: list[Experiment]) -> list[Experiment]:
        """All, or on a low terminal those that still lack something."""
        room = self.console.height - 3      # the header, the last line, and the cursor's
        if len(experiments) <= room:
            return experiments
        return [each for each in experiments if each.there < each.wanted][:max(room, 0)]


def _sharpness(experiment: Experiment) -> str:
    """In per cent, now and wanted."""
    if math.isinf(experiment.half_width):
        return "-"
    now = f"{100 * experiment.half_width:.1f} %"
    return f"{now} of {100 * experiment.sharpness:.1f} %" if experiment.sharpness else now
