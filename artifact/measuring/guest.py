# SPDX-License-Identifier: MIT
"""The small virtual machine itself: what is in it, how it boots, what it says.

Its user space is a shell script that runs steps in turn and says how each
ended. All of it is built here, in a folder that is lost afterwards.
"""

import gzip
import hashlib
import io
import lzma
import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

from artifact import ctools, machine, paths
from artifact.measuring import kernels
from artifact.measuring.kernels import Kernel
from artifact.problem import Lacking, Problem, one_line

QEMU = "qemu-system-x86_64"
BOOT_SECONDS = 300      # far more than any boot takes, side by side too: it hangs
KMOD = paths.CTOOLS / "kmod"
SCRATCH = ".lab-"       # folders, while machines run
MARK = re.compile(r"^(begin|end) (\S+)(?: (\d+))?$")

Steps = list[tuple[str, str]]               # names and shell commands, in turn
Said = dict[str, tuple[int, list[str]]]     # of each step its exit status and lines


def boot(kernel: Kernel, unpacked: kernels.Unpacked, steps: Steps, boots: int, say,
         planted: bool = False) -> list[Said]:
    """Boots a kernel so often and returns what each boot said.

    planted: with the module that copies a page too few. Raises Problem where a
    boot does not end, and Lacking where the module cannot be built.
    """
    counting = not kernels.has_kvm()
    scratch().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=scratch()) as name:
        programs = _programs(kernel, unpacked, Path(name), say, planted)
        initramfs = Path(name) / "initramfs"
        initramfs.write_bytes(_initramfs(_init(steps), programs))
        command = _qemu(kernel, vmlinux(unpacked), initramfs, counting)
        fitting = machine.memory_bytes() // 2 // (kernel.megabytes << 20)
        said = _run_side_by_side(command, Path(name), boots, max(1, min(
            len(machine.usable_cpus()) if counting else 1, fitting)))
    return list(map(steps_said, said))


def clean_up() -> None:
    """Removes what is left of a run that was killed, while nobody else runs one."""
    for leftover in scratch().glob(f"{SCRATCH}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def scratch() -> Path:
    """Where folders are made, and lost, while machines run: in the results, unless
    kbuild takes no folder of such a name."""
    if kernels.kbuild_takes(paths.RESULTS):
        return paths.RESULTS
    return kernels.CACHE / "scratch" / hashlib.sha256(bytes(paths.RESULTS)).hexdigest()[:8]


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


def steps_said(said: str) -> Said:
    """Each step's exit status and lines."""
    found: Said = {}
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
