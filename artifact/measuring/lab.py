# SPDX-License-Identifier: MIT
"""A small virtual machine in which a real kernel answers, anywhere.

With KVM its answers are times. Without, QEMU counts instructions: the guest's
clock moves by one tick for each, and the same kernel gives the same numbers
on every machine. A ``rep`` counts once for each of its iterations, so counts
say what bookkeeping costs and nothing about how fast bytes move.
"""

import dataclasses
import gzip
import hashlib
import io
import json
import lzma
import platform
import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pyperf

from artifact import ctools, machine, paths, samples
from artifact.cells import KernelCell
from artifact.measuring import kernels
from artifact.measuring.kernels import Kernel
from artifact.problem import Damaged, Lacking, Problem, one_line

QEMU = "qemu-system-x86_64"
BOOT_SECONDS = 300      # far more than any boot takes, side by side too: it hangs
KMOD = paths.CTOOLS / "kmod"
SCRATCH = ".lab-"       # folders, while machines run
MARK = re.compile(r"^(begin|end) (\S+)(?: (\d+))?$")
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
    for leftover in scratch().glob(f"{SCRATCH}*"):
        shutil.rmtree(leftover, ignore_errors=True)
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


def scratch() -> Path:
    """Where folders are made, and lost, while machines run: in the results, unless
    kbuild takes no folder of such a name."""
    if kernels.kbuild_takes(paths.RESULTS):
        return paths.RESULTS
    return kernels.CACHE / "scratch" / hashlib.sha256(bytes(paths.RESULTS)).hexdigest()[:8]


def ask(kernel: Kernel, unpacked: kernels.Unpacked, boots: int, say,
        planted: bool = False) -> list[Answer]:
    """Boots a kernel so often. Problem where a boot does not end, a step of it
    fails, or a copy was wrong, as with the planted module."""
    counting = not kernels.has_kvm()
    say(f"{kernel.name}: booting {unpacked.release} {boots} times, "
        + ("counting instructions" if counting else "taking times"))
    scratch().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=scratch()) as name:
        programs = _programs(kernel, unpacked, Path(name), say, planted)
        initramfs = Path(name) / "initramfs"
        initramfs.write_bytes(_initramfs(_init(steps(kernel, counting)), programs))
        command = _qemu(kernel, vmlinux(unpacked), initramfs, counting)
        fitting = machine.memory_bytes() // 2 // (kernel.megabytes << 20)
        said = _run_side_by_side(command, Path(name), boots, max(1, min(
            len(machine.usable_cpus()) if counting else 1, fitting)))
    return [_answer(unpacked, _steps_said(text)) for text in said]


def _programs(kernel: Kernel, unpacked: kernels.Unpacked, folder: Path, say,
              planted: bool) -> dict[str, Path]:
    """What goes into the virtual machine, by its path there."""
    return {"bin/busybox": kernels.busybox(kernel.architecture, say),
            "movepages": ctools.build(paths.CTOOLS / "movepages-static"),
            "pagecopy_kmod.ko": build_module(kernel, unpacked, folder, planted)}


def build_module(kernel: Kernel, unpacked: kernels.Unpacked, folder: Path,
                 planted: bool) -> Path:
    """Builds the module against a kernel's headers, in a folder of its own."""
    sources = folder / "kmod"
    shutil.copytree(KMOD, sources, ignore=lambda _, names: {
        name for name in names if name.endswith(".mod.c") or not (
            name.endswith((".c", ".h")) or name in ("Kbuild", "Makefile"))})
    done = subprocess.run(
        ["make", "-s", "-C", sources, f"KDIR={unpacked.headers}", f"PLANTED={int(planted)}",
         *(["ARCH=i386"] if kernel.architecture == "i386" else []),
         # For want of a vmlinux to take types from.
         "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"], capture_output=True, text=True)
    if done.returncode:
        said = [line for word in ("no space left", "error") for line in done.stderr.splitlines()
                if word in line.lower()]
        raise Lacking(f"cannot build the module for {unpacked.release}",
                      one_line(said[0] if said else done.stderr),
                      f"try: make -C ctools/kmod KDIR={unpacked.headers}")
    return sources / "pagecopy_kmod.ko"


def vmlinux(unpacked: kernels.Unpacked) -> Path:
    """The kernel itself out of its compressed image, as that boots at once; the
    image where this cannot be done."""
    image = unpacked.vmlinuz.read_bytes()
    target = kernels.CACHE / "vmlinux" / hashlib.sha256(image).hexdigest()[:16]
    if not target.exists():
        plain = _decompressed(image)
        # Without this note QEMU cannot start it.
        if plain is None or struct.pack("<I4s", 18, b"Xen\0") not in plain:
            return unpacked.vmlinuz
        target.parent.mkdir(parents=True, exist_ok=True)
        paths.write_atomically(target, plain)
    return target


def _decompressed(image: bytes) -> bytes | None:
    """The payload of a bzImage; None for a compression that Python lacks."""
    if image[0x202:0x206] != b"HdrS":
        return image if image[:4] == b"\x7fELF" else None
    setup = (image[0x1f1] or 4) + 1
    offset, length = struct.unpack_from("<II", image, 0x248)
    payload = image[setup * 512 + offset:][:length]
    if payload.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor().decompress(payload)
    if payload.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=io.BytesIO(payload)).read()
    if payload.startswith(b"\x28\xb5\x2f\xfd") and shutil.which("zstd"):
        return subprocess.run(["zstd", "-dcq"], input=payload, capture_output=True).stdout
    return None


def _init(steps: list[tuple[str, str]]) -> bytes:
    """The shell script that is all of user space. What it says goes out by the
    second serial line, as the kernel has the first to itself."""
    lines = ["#!/bin/busybox sh",
             "/bin/busybox mkdir -p /proc /sys /dev",
             "/bin/busybox --install -s /bin", "export PATH=/bin",
             "mount -t proc proc /proc", "mount -t sysfs sys /sys", "mount -t devtmpfs dev /dev",
             "mount -t debugfs debug /sys/kernel/debug",
             "stty -F /dev/ttyS1 raw", "exec >/dev/ttyS1 2>&1"]
    for name, command in steps:
        lines += [f"echo begin {name}", command, f"echo end {name} $?"]
    # What is still on its way through the serial line would be lost.
    lines += ["echo begin done", "echo end done 0", "sleep 2", "poweroff -f"]
    return ("\n".join(lines) + "\n").encode()


def _initramfs(init: bytes, programs: dict[str, Path]) -> bytes:
    """A cpio archive in the kernel's format (newc: early-userspace/buffer-format)."""
    archive = io.BytesIO()

    def add(name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        header = (1, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
        archive.write(b"070701" + b"".join(b"%08X" % field for field in header))
        for part in (name.encode() + b"\0", content):
            archive.write(part)
            archive.write(bytes(-archive.tell() % 4))
    for folder in ("bin", "dev", "proc", "sys"):
        add(folder, 0o040755)
    add("dev/console", 0o020600, device=(5, 1))
    add("init", 0o100755, init)
    for name, program in programs.items():
        add(name, 0o100755, program.read_bytes())
    add("TRAILER!!!", 0)
    return archive.getvalue()


COMMAND_LINE = ("console=ttyS0 quiet panic=-1 nokaslr norandmaps noapictimer tsc_early_khz=1000000 "
                "tsc=reliable no_timer_check cryptomgr.notests=1 mitigations=off audit=0 nowatchdog "
                "lsm= hpet=disable numa_balancing=disable init_on_alloc=0 transparent_hugepage=madvise")


def _qemu(kernel: Kernel, image: Path, initramfs: Path, counting: bool) -> list[str]:
    """All three of single-threaded TCG, a clock that only instructions move and
    a fixed date are needed for counts to be the same each time."""
    if counting:
        accelerator = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off",
                       "-rtc", "base=2024-01-01T00:00:00,clock=vm", "-smp", "1",
                       # QEMU 7.2 leaves wrong flags behind a cmpxchg16b, and an
                       # interrupt just then makes the kernel panic.
                       "-cpu", "qemu64,-erms,+pdpe1gb,-cx16"]
    else:
        accelerator = ["-accel", "kvm", "-cpu", "host", "-smp", "2"]
    memory = ["-m", f"{kernel.megabytes}M"]
    cpus = "0" if counting else "0-1"
    # The second node has memory only, as a far tier has.
    for node, more in enumerate((f",cpus={cpus}", "") if kernel.moves else ()):
        memory += ["-object", f"memory-backend-ram,id=m{node},size={kernel.megabytes // 2}M",
                   "-numa", f"node,nodeid={node},memdev=m{node}{more}"]
    # The short way in is for a kernel that is not compressed any more.
    firmware = ["-bios", "qboot.rom"] if image.parent.name == "vmlinux" else []
    return [QEMU, *accelerator, "-seed", "1", "-M", "q35,usb=off,vmport=off,smbus=off,sata=off",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", *firmware, *memory,
            "-kernel", str(image), "-initrd", str(initramfs), "-append",
            f"{COMMAND_LINE} {kernel.command_line}"]


def _run_side_by_side(command: list[str], folder: Path, count: int, most: int) -> list[str]:
    """What each of several boots said by its second serial line. Side by side
    nothing may be timed, and everything can be counted."""
    said = []
    for first in range(0, count, most):
        boots = [folder / f"boot-{nth}" for nth in range(first, min(first + most, count))]
        running = []
        try:
            for boot in boots:
                boot.mkdir()
                running.append(subprocess.Popen(
                    [*command, *(word for line in ("console", "answer")
                                 for word in ("-serial", f"file:{boot / line}"))],
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                    preexec_fn=ctools.die_with_parent))
            said += [_what_it_said(qemu, boot) for qemu, boot in zip(running, boots)]
        finally:
            for qemu in running:
                qemu.kill()
                qemu.wait()
    return said


def _what_it_said(qemu: subprocess.Popen, boot: Path) -> str:
    try:
        _, errors = qemu.communicate(timeout=BOOT_SECONDS)
        why = errors.strip().splitlines()[-1:] if qemu.returncode else []
    except subprocess.TimeoutExpired:
        why = [f"it did not end within {BOOT_SECONDS} s"]
    answer, console = ((boot / name).read_text(errors="replace") if (boot / name).exists() else ""
                       for name in ("answer", "console"))
    if why or "end done 0" not in answer:
        lines = [line for line in console.splitlines() if line.strip()]
        last = [line for line in lines if "panic" in line or "BUG" in line][:1] or lines[-1:]
        raise Problem("the virtual machine did not finish",
                      one_line(" ".join([*why, *last]) or "it said nothing"),
                      "try again, or another kernel: make kernel-lab KERNEL=..")
    return answer


def _steps_said(said: str) -> dict[str, tuple[int, list[str]]]:
    """Each step's exit status and lines."""
    found: dict[str, tuple[int, list[str]]] = {}
    lines: list[str] = []
    for line in said.replace("\r", "").splitlines():
        mark = MARK.match(line)
        if not mark:
            lines.append(line)
        elif mark[1] == "begin":
            lines = []
        else:
            found[mark[2]] = (int(mark[3]), lines)
    return found


def _answer(unpacked: kernels.Unpacked, said: dict[str, tuple[int, list[str]]]) -> Answer:
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
    program = ctools.build(paths.CTOOLS / "movepages")
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
    version = subprocess.run([QEMU, "--version"], capture_output=True, text=True).stdout
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
