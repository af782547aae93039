# SPDX-License-Identifier: MIT
"""What real kernels are asked in a small virtual machine, and their answers as cells.

With KVM its answers are times. Without, QEMU counts instructions: the guest's
clock moves by one tick for each, and the same kernel gives the same numbers
on every machine. A ``rep`` counts once for each of its iterations, so counts
say what bookkeeping costs and nothing about how fast bytes move.
"""

import dataclasses
import gzip
import io
import json
import platform
import subprocess

import pyperf

from artifact import ctools, machine, paths, samples
from artifact.cells import KernelCell
from artifact.measuring import guest, kernels
from artifact.measuring.kernels import Kernel
from artifact.problem import Damaged, Problem, one_line

ROUNDS = 8              # of the ladder; counts repeat but for a timer's tick, so the median
MOVE_ROUNDS = 5         # of move_pages


def steps(kernel: Kernel, counting: bool) -> list[tuple[str, str]]:
    """What the machine is asked, in turn: names and shell commands."""
    ladder = "/sys/kernel/debug/pagecopy/ladder"
    found = [("release", "uname -r"),
             # It loads whole or not at all.
             ("refuses-order", "! insmod /pagecopy_kmod.ko order=11 2>/dev/null"),
             ("refuses-pairs", "! insmod /pagecopy_kmod.ko pairs=4096 2>/dev/null"),
             ("load", f"insmod /pagecopy_kmod.ko ticks={int(counting)} rounds={ROUNDS} pairs=4"),
             ("ladder", f"cat {ladder}")]
    program = f"/movepages --json --rounds={MOVE_ROUNDS} {'--ticks' if counting else ''}"
    # Newer kernels copy pages by an unrolled loop, whose instructions are the
    # copy's: to count the rest alike in all, the module's own loop stands in.
    alike = "--live=loop" if counting else ""
    # Counted, the unpatched kernel would be told by its own loop: see alike.
    live = [step for step in live_steps() if step != "off" or not counting]
    if kernels.answers(kernel, "moves"):
        found.append(("moves", f"{program} {alike} {' '.join(kernel.moves)}"))
    if kernels.answers(kernel, "live"):
        found += [("live", f"{program} --live={','.join(live)} {' '.join(kernels.LIVE_MOVES)}"),
                  ("original", "grep -q ^off /sys/kernel/debug/pagecopy/live")]
    return [*found, ("unload", "rmmod pagecopy_kmod"), ("gone", f"test ! -e {ladder}")]


def live_steps() -> list[str]:
    """The steps of the series that movepages can put in place of the kernel's own
    copy; those of N workers with one and with two."""
    return [step["step"].replace("N", workers) for step in ctools.listed_of_moves()["live"]
            for workers in (("1", "2") if step["step"].endswith(":N") else ("",))]


@dataclasses.dataclass(frozen=True)
class Arm:
    """Samples of one thing, in instructions or ns, and what was found with it."""

    values: list[int]
    facts: dict[str, int]


Arms = dict[str, Arm]
Answer = dict[str, Arms]        # of one boot, by experiment


def measure(run: paths.Run, cells: list[KernelCell], say) -> int:
    """Boots every kernel of the cells as often as they ask for, and writes them.

    Returns the greatest difference of an instruction count between boots.
    """
    # Of a run that was killed; the caller holds the lock.
    guest.clean_up()
    differences = [0]
    for name in dict.fromkeys(cell.kernel for cell in cells):
        wanted = [cell for cell in cells if cell.kernel == name]
        if name == "host":
            answers = _ask_host(wanted[0].boots)
            facts = [{"kernel": platform.release(), "package": "this machine's"}] * len(answers)
        else:
            kernel = kernels.find(name)
            unpacked = kernels.fetch(kernel, say)
            answers = ask(kernel, unpacked, wanted[0].boots, say)
            facts = [_facts(unpacked)] * len(answers)
            differences.append(_difference(answers))
            say(f"{name}: {len(answers)} boots of {unpacked.release}, greatest difference of any "
                f"of {_samples(answers[0])} samples between them: {differences[-1]}")
        for cell in wanted:
            _write(run, cell, [answer[cell.experiment] for answer in answers], facts)
    return max(differences)


def summary(run: paths.Run, cells: list[KernelCell]) -> list[str]:
    """Every arm of the cells with its median, for who reads no figures."""
    lines = []
    for cell in cells:
        found = samples.read_kernel(run, cell)
        lines.append(f"\n{cell.experiment} of {found.facts[0]['kernel']}, "
                     + ("instructions, counted" if cell.counted else "ns"))
        lines += [f"  {arm:34} {found.median(arm):>14,.0f}" for arm in found.values]
    return lines


def ask(kernel: Kernel, unpacked: kernels.Unpacked, boots: int, say,
        planted: bool = False) -> list[Answer]:
    """Boots a kernel so often. Problem where a boot does not end, a step of it
    fails, or a copy was wrong, as with the planted module."""
    counting = not kernels.has_kvm()
    say(f"{kernel.name}: booting {unpacked.release} {boots} times, "
        + ("counting instructions" if counting else "taking times"))
    said = guest.boot(kernel, unpacked, steps(kernel, counting), boots, say, planted)
    return [_answer(unpacked, each) for each in said]


def _answer(unpacked: kernels.Unpacked, said: guest.Said) -> Answer:
    for step, (status, lines) in said.items():
        if status:
            raise Problem(f"{step} failed in the kernel {unpacked.release}",
                          one_line(" ".join(lines[-2:]) or f"status {status}"),
                          "nothing of this boot is used")
    if said["release"][1] != [unpacked.release]:
        raise Damaged("the lab booted another kernel", f"{said['release'][1]} is not "
                      f"{unpacked.release}", f"remove {kernels.CACHE} and run again")
    found = {"ladder": _ladder(said["ladder"][1])}
    for experiment in ("moves", "live"):
        if experiment in said:
            found[experiment] = _moves(said[experiment][1])
    return found


def _ladder(lines: list[str]) -> Arms:
    facts = dict(line.split() for line in lines[:3])
    pages = int(facts["pages"])
    arms = {}
    for line in lines[3:]:
        name, *values = line.split()
        if name != "skipped":
            arms[name] = Arm([int(value) for value in values],
                             {"bytes": pages << 12, "highmem": int(facts["highmem"])})
    return arms


def _moves(lines: list[str]) -> Arms:
    said = json.loads("\n".join(lines))
    counted = ("bytes", *ctools.listed_of_moves()["counters"])
    alone = len({arm["arm"].partition(":live=")[2] for arm in said["arms"]}) == 1
    return {f"{arm['arm'].partition(':live=')[0] if alone else arm['arm']}:{way}": Arm(
                arm[way], {key: arm[key] for key in counted})
            for arm in said["arms"] for way in ("there", "back")}


def _ask_host(processes: int) -> list[Answer]:
    """The same of the kernel that runs here, on its own nodes."""
    program = ctools.build(ctools.MOVEPAGES)
    return [{"moves": _moves(ctools.run(["--json"], program).splitlines())}
            for _ in range(processes)]


def _samples(answer: Answer) -> int:
    return sum(len(arm.values) for arms in answer.values() for arm in arms.values())


def _difference(answers: list[Answer]) -> int:
    """The greatest between the same samples of any two boots."""
    return max((max(values) - min(values) for experiment in answers[0]
                for arm in answers[0][experiment]
                for values in zip(*(answer[experiment][arm].values for answer in answers))),
               default=0)


def _facts(unpacked: kernels.Unpacked) -> dict[str, str]:
    version = subprocess.run([guest.QEMU, "--version"], capture_output=True, text=True).stdout
    return {"kernel": unpacked.release, "package": unpacked.package,
            "pinned": "yes" if unpacked.pinned else "no",
            "qemu": version.splitlines()[0] if version else "", "commit": machine.commit(),
            # What it builds the module to is part of what is counted.
            "compiler": machine.compiler()}


def _write(run: paths.Run, cell: KernelCell, answers: list[Arms], facts: list[dict]) -> None:
    """As a pyperf file, like every other cell; a run in it is a boot."""
    scale = 1e9 if cell.unit == "ns" else 1
    unit = "second" if cell.unit == "ns" else "integer"
    benchmarks = []
    for arm in answers[0]:
        benchmarks.append(pyperf.Benchmark([
            pyperf.Run([value / scale if unit == "second" else value
                        for value in answer[arm].values],
                       metadata={"name": arm, "unit": unit, "loops": 1, "cell": cell.id,
                                 **answer[arm].facts, **fact}, collect_metadata=False)
            for answer, fact in zip(answers, facts)]))
    text = io.StringIO()
    pyperf.BenchmarkSuite(benchmarks).dump(text)
    paths.write_atomically(run.cell_file(cell.id),
                           gzip.compress(text.getvalue().encode(), mtime=0))
