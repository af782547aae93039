# SPDX-License-Identifier: MIT
"""JupyterLab on copies of the notebooks, which it saves by itself."""

import contextlib
import getpass
import json
import os
import secrets
import shutil
import socket
import sys
import typing
from collections.abc import Callable
from pathlib import Path

from artifact import paths

FIRST_PORT, PORTS = 8888, 100
# It asks at each start whether to fetch news.
NEWS = "@jupyterlab/apputils-extension:announcements"
# What a cell shows where it shows a widget.
WIDGET = "application/vnd.jupyter.widget-view+json"


def serve(say: Callable[[str], None], opens: str = "") -> typing.NoReturn:
    """Becomes JupyterLab, for this machine only and with a token. Says its address, and
    how to reach it from another machine.

    opens: the notebook that the address leads to. Raises Unwritable.
    """
    folder, port = lay_out(say), _free_port()
    _no_news()
    token = os.environ.setdefault("JUPYTER_TOKEN", secrets.token_urlsafe(16))
    where = f"lab/tree/{opens}" if opens else "lab"
    say(f"http://127.0.0.1:{port}/{where}?token={token}   (from another machine, first: ssh -L "
        f"{port}:127.0.0.1:{port} {getpass.getuser()}@{socket.gethostname()}; Ctrl-C ends it)")
    os.chdir(folder)
    os.execv(sys.executable, [
        sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", "--no-browser", "-y", "--log-level=ERROR",
        "--LabApp.log_level=ERROR",
        *(["--allow-root"] if os.geteuid() == 0 else [])])


def _free_port() -> int:
    """The usual one, or the next that nobody listens at."""
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        with contextlib.suppress(OSError), socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            return port
    return FIRST_PORT       # JupyterLab will complain that it is taken


def _no_news() -> None:
    """In the settings that the Makefile names; nobody's own are touched."""
    if "JUPYTER_CONFIG_DIR" in os.environ:
        paths.write_atomically(Path(os.environ["JUPYTER_CONFIG_DIR"]) / "labconfig" /
                               "page_config.json",
                               json.dumps({"disabledExtensions": {NEWS: True}}).encode())


def lay_out(say: Callable[[str], None]) -> Path:
    """Copies of the notebooks to work in, in the results; returns their folder.

    JupyterLab saves by itself. An edited copy is kept as it is, and the others
    are brought up to date. A pristine copy beside them tells which were edited.
    """
    folder = paths.RESULTS / "lab"
    pristine = folder / ".pristine"
    with paths.writing(folder):
        pristine.mkdir(parents=True, exist_ok=True)
        for wanted in paths.NOTEBOOKS.glob("*.ipynb"):
            copy, before = folder / wanted.name, pristine / wanted.name
            if copy.exists() and not _same(copy, before) and not _only_knobs(copy, before):
                if not _same(before, wanted):
                    say(f"kept: {paths.shown(copy)}, which you edited; the notebook itself has "
                        "changed since: delete the copy to get it")
                continue
            for target in (copy, before):
                shutil.copyfile(wanted, target)
    return folder


def _only_knobs(copy: Path, before: Path) -> bool:
    """Whether nothing but widgets was added to it, which are gone with their kernel."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return WIDGET in copy.read_text() and _sources(copy) == _sources(before)
    return False


def _sources(path: Path) -> list[str]:
    """What a notebook's cells say, without what they showed."""
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]


def _same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return one.read_bytes() == other.read_bytes()
    return False
