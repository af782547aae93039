# SPDX-License-Identifier: MIT
"""The knobs on the screen, with a word beside each, and what becomes of them."""

import base64
import dataclasses
import html
import math
import threading
import time
import typing

import ipywidgets as widgets

from artifact import ctools, labels
from artifact.explore import choice as choices
from artifact.explore import loop, picture, verdict
from artifact.explore.choice import Choice
from artifact.host import Host
from artifact.measuring import passes
from artifact.policies import BY_ID, POLICIES
from artifact.problem import Problem
from artifact.samples import Samples
from artifact.sizes import spoken

EVERY_SECONDS = 0.5         # a picture at most, and none beside a process that is timed
WIDTH = "430px"             # of a knob with its label; the word beside it has the rest
STATES = ("cold", "warm")
class Panel:
    """box: all of it, to be displayed."""

    def __init__(self, host: Host):
        self.host = host
        self.knobs = _knobs(host)
        self.notes = {name: widgets.HTML() for name in self.knobs}
        self.measure, self.stop, self.default = _buttons()
        self.status, self.verdict, self.picture, self.command = (widgets.HTML() for _ in range(4))
        self.measurement: loop.Measurement | None = None    # until it is over or stopped
        self.thread: threading.Thread | None = None         # the last that was begun
        self.pictured: Choice | None = None
        self.turning = False                                # several knobs at once
        self.box = self._laid_out()
        # From now on matplotlib is there.
        self.picture.value = _image(picture.nothing_yet(), "nothing measured yet")
        self.measure.on_click(lambda _: self._begin())
        self.stop.on_click(lambda _: self._end())
        self.default.on_click(lambda _: self._to_default())
        for knob in self.knobs.values():
            knob.observe(lambda _: self._turned(), "value")
        self._to_default()

    @property
    def choice(self) -> Choice:
        """What the knobs say, right or wrong."""
        return Choice(**{name: knob.value for name, knob in self.knobs.items()})

    def _to_default(self) -> None:
        self.turning = True
        for name, value in dataclasses.asdict(choices.default(self.host)).items():
            self.knobs[name].value = value
        self.turning = False
        self._turned()

    def _turned(self) -> None:
        """A knob has another value: what is being measured begins anew with it."""
        if self.turning:
            return
        wrong = self._checked()
        if self.measurement and not wrong:
            self._begin()
        elif self.measurement:
            self._end()
        elif self.pictured and self.pictured != self.choice:
            self._say("The picture shows the choice before this one" + (
                "." if wrong else ": press Measure."))

    def _checked(self) -> dict[str, Problem]:
        """What is wrong, said beside the knobs; the last good command stays."""
        choice, wrong = self.choice, choices.wrong(self.host, self.choice)
        for name, hint in _hints(choice).items():
            self.notes[name].value = _red(wrong[name]) if name in wrong else html.escape(hint)
        self.knobs["policy"].disabled = not choice.parallel
        self.knobs["threads"].disabled = not choice.parallel or BY_ID[choice.policy].own_threads
        self.measure.disabled = bool(wrong or self.measurement)
        self.stop.disabled = not self.measurement
        if not wrong:
            self.command.value = _copyable(choices.command(self.host, choice))
        return wrong

    def _begin(self) -> None:
        """Measures what the knobs say, in place of what is being measured."""
        self._end()
        old = self.pictured and self.pictured != self.choice
        self._say("Measuring" + ("; the picture still shows the choice before" if old else ""))
        self.measurement = loop.Measurement(self.host, self.choice)
        # A thread, as the event loops of Jupyter's kernels are not what they were.
        self.thread = threading.Thread(target=self._follow, args=(self.measurement, self.thread),
                                       daemon=True)
        self.thread.start()
        self._checked()

    def _end(self) -> None:
        if self.measurement:
            self.measurement.stop()
            self.measurement = None
        self._checked()

    def _follow(self, measurement: loop.Measurement, before: threading.Thread | None) -> None:
        """Shows what is measured until it is over. before: what must be gone first."""
        if before:
            before.join()
        samples, shown, error = None, -math.inf, None
        try:
            with passes.nobody_else():      # else two would measure each other
                for samples in measurement.processes():
                    if time.monotonic() >= shown + EVERY_SECONDS:
                        self._show(measurement.choice, samples)
                        shown = time.monotonic()
        except Problem as problem:
            error = problem
        if samples:
            self._show(measurement.choice, samples)
        if self.thread is threading.current_thread():       # else another takes its place
            self.measurement = None
            self._checked()
            self._over(error, "Stopped" if measurement.stopped else "Done")

    def _over(self, error: Problem | None, said: str) -> None:
        """Whatever pagecopy refuses is said beside the knob that may mend it, if one may."""
        if error and "huge pages" in error.why:
            self.notes["backing"].value = _red(error)
        self._say(str(error or said))

    def _show(self, choice: Choice, samples: Samples) -> None:
        default = choices.default_beside(self.host, choice)
        rows = {"yours": choice.variant, "default": default}
        if self.pictured != choice:
            self._say("Measuring")
        self.pictured = choice
        self.picture.value = _image(picture.drawn(samples, rows, _conditions(choice, samples)),
                                    picture.shows(samples, rows))
        self.verdict.value = _verdict(samples, choice, default)

    def _say(self, text: str) -> None:
        self.status.value = f'<span role="status">{html.escape(text)}</span>'

    def _laid_out(self) -> widgets.VBox:
        rows = [widgets.HBox([knob, self.notes[name]]) for name, knob in self.knobs.items()]
        # What changes is on top: the knobs are many.
        parts = {"picture": self.picture, "verdict": self.verdict,
                 "buttons": widgets.HBox([self.measure, self.stop, self.default, self.status]),
                 "knobs": widgets.VBox(rows), "command": self.command}
        for name, part in {**parts, "status": self.status}.items():
            part.add_class(f"explore-{name}")
        for name, knob in self.knobs.items():
            knob.add_class(f"explore-{name}")
            self.notes[name].add_class(f"explore-note-{name}")
        return widgets.VBox(list(parts.values()))


def _knobs(host: Host) -> dict[str, typing.Any]:
    """A widget for each field of a choice, with what this machine has; in their order on
    the screen."""
    empty = {name for name, roles in host.roles.items() if "nothing" in roles}
    teams = [(policy.label, policy.id) for policy in POLICIES
             if host.high_priority or not policy.needs_nice]
    ways = [("serial page loop", "serial:page"), ("serial bulk", "serial:bulk")]
    if len(host.near) > 1:
        ways += [("parallel page loop", "parallel:page"), ("parallel bulk", "parallel:bulk")]
    return {
        "routine": _dropdown("copy routine", [
            name for name, lacks in host.lacks.items() if not lacks and name not in empty]),
        "strategy": _dropdown("strategy", ways),
        "call": _typed("bytes per call", ["", "4K", "16K", "64K", "256K", "1M", "2M"]),
        "map": _dropdown("map cost per call", [
            ("none", "none"), ("as today (2026)", "2026"), ("as in 2017", "2017"),
            ("as in 2017, voluntary preemption", "2017-voluntary")]),
        "policy": _dropdown("team", teams),
        "threads": _number("threads"),
        "huge": _typed("folio size", ["64K", "2M", "16M", "1G"]),
        "folios": _number("folios per copy"),
        "backing": _dropdown("backed by", [
            ("huge pages", "huge"), ("huge pages where there are any", "auto"),
            ("base pages", "base")]),
        "load": _number("load, % of each CPU"),
        "caches": _dropdown("caches", [(f"source {one}, destination {other}", f"{one}/{other}")
                                       for one in STATES for other in STATES]),
    }


def _dropdown(label: str, options: list) -> widgets.Dropdown:
    return widgets.Dropdown(options=options, description=label, **_looks())


def _typed(label: str, known: list[str]) -> widgets.Combobox:
    return widgets.Combobox(options=known, description=label, continuous_update=False,
                            placeholder="as the strategy says", **_looks())


def _number(label: str) -> widgets.IntText:
    return widgets.IntText(description=label, **_looks())


def _looks() -> dict[str, typing.Any]:
    return {"style": {"description_width": "150px"},
            "layout": widgets.Layout(width=WIDTH, flex="0 0 auto")}


def _buttons() -> list[widgets.Button]:
    """Measure, Stop, Default."""
    return [widgets.Button(description=text, tooltip=told, button_style=style, disabled=disabled)
            for text, told, style, disabled in (
                ("Measure", "until Stop is pressed", "primary", False),
                ("Stop", "ends the process that is being measured", "", True),
                ("Default", "all knobs back", "", False))]


def _hints(choice: Choice) -> dict[str, str]:
    """What the values mean, where that is not plain; empty for every other knob."""
    hints = dict.fromkeys(dataclasses.asdict(choice), "")
    hints["routine"] = ctools.listed()["primitives"].get(choice.routine, {"description": ""})[
        "description"]
    if not choice.call:
        hints["call"] = "a base page" if choice.strategy.endswith("page") else \
            "all of a thread's part" if choice.parallel else "the whole folio"
    if not choice.parallel:
        hints["policy"] = hints["threads"] = "only for a parallel copy"
    elif BY_ID[choice.policy].own_threads:
        hints["threads"] = "as it was posted: an even count, up to 8"
    return hints


def _red(problem: Problem) -> str:
    return ('<div role="alert" style="color: var(--jp-error-color1, #d32f2f); line-height: 1.3; '
            f'padding-top: 5px">{html.escape(str(problem))}</div>')


def _conditions(choice: Choice, samples: Samples) -> str:
    """What a picture holds for, in a line."""
    source, _, destination = choice.caches.partition("/")
    loaded = f", each CPU {choice.load} % loaded" if choice.load else ""
    return (f"{choice.folios} folio{'s' * (choice.folios > 1)} of {choice.huge}, source {source}, "
            f"destination {destination}{loaded}; {samples.processes} "
            f"process{'es' * (samples.processes > 1)} of {samples.cell.rounds} rounds")


def _verdict(samples: Samples, choice: Choice, default: str) -> str:
    """Over today's loop, and over the default."""
    overs = {"today's loop": samples.cell.baseline, "the default": default}
    said = []
    for name, over in overs.items():
        if choice.variant == over:
            said.append(f"This is {name}.")
            continue
        ratio = verdict.of(samples, choice.variant, over)
        said.append(f"Over {name}: <b>{verdict.doubt(samples) or verdict.word(ratio)}</b>, "
                    f"{verdict.text(ratio)}")
    if pool := loop.draft_bytes(samples):
        said.append(f"<b>draft: pool of {spoken(pool)}</b>, less than four times the last-level caches")
    if choice.backing == "auto" and samples.huge_share < 1:
        share = labels.percent(samples.huge_share)
        said.append(f"<b>huge pages behind only {share} of the buffers</b>")
    return f'<div style="font-size: 120%; line-height: 1.5">{"<br>".join(said)}</div>'


def _image(png: bytes, shows: str) -> str:
    """A new one takes the place of an old one in the same frame: nothing flickers."""
    width, height = picture.PIXELS
    return (f'<img width="{width}" height="{height}" style="max-width: 100%; height: auto" '
            f'alt="{html.escape(shows)}" decoding="sync" '
            f'src="data:image/png;base64,{base64.b64encode(png).decode()}">')


def _copyable(command: str) -> str:
    """Text in a box, and a button that puts it into the clipboard."""
    copy = ("navigator.clipboard.writeText(this.previousElementSibling.textContent)"
            ".then(() => { this.textContent = 'Copied'; })")
    return (f'<code style="user-select: all; overflow-wrap: anywhere">{html.escape(command)}</code> '
            f'<button class="jupyter-widgets jupyter-button" onclick="{copy}">Copy</button>')
