# SPDX-License-Identifier: MIT
"""make test STRESS=1: the suite beside two busy loops, twice, and fifty times what is
left in it that looks at time. Arguments are for pytest and the whole suite."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator

from artifact import ctools, paths

LOOPS, SUITES, TIMES = 2, 2, 50


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """That many loops run meanwhile, and end with us however we end."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"],
                              preexec_fn=ctools.die_with_parent) for _ in range(LOOPS)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def suite(*arguments: str) -> bool:
    """Whether it is green."""
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "tests", *arguments],
                          cwd=paths.ROOT).returncode == 0


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with busy():
        for nth in range(1, SUITES + TIMES + 1):
            whole = nth <= SUITES
            print(f"beside {LOOPS} busy loops: " + (f"suite {nth} of {SUITES}" if whole else
                  f"what looks at time, {nth - SUITES} of {TIMES}"), flush=True)
            if not suite(*(sys.argv[1:] if whole else ["-x", "-m", "clock"])):
                return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
