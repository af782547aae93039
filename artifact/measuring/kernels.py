# SPDX-License-Identifier: MIT
"""Distribution kernels for the lab: fetched, unpacked, built against.

The system's own packages are neither asked nor touched: apt works in a tree
of ours inside the cache, with package lists of its own, also of another
architecture. What is fetched is compared with the checksum in kernels.json.
A point release that has left the mirror is replaced by the newest of its
series, and every result says which one ran.
"""

import contextlib
import dataclasses
import functools
import getpass
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from artifact import ctools, paths
from artifact.problem import Damaged, Lacking, Misuse, Problem, Unwritable, one_line

PINS = Path(__file__).with_name("kernels.json")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pagecopy-kernel-lab"
BUSYBOX = "busybox-static"
TOOLS = {"qemu-system-x86_64": "qemu-system-x86", "apt-get": "apt", "dpkg-deb": "dpkg",
         "gcc": "gcc", "make": "make"}


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel for the lab, by what it alone can show.

    moves: rows that ctools/movepages is asked for, between two nodes; Linux
    has none on 32-bit x86. High memory begins at 896 MiB there.
    """

    name: str               # in results and figures
    image: str = ""         # metapackage that depends on the newest release
    architecture: str = "amd64"
    moves: tuple[str, ...] = ()
    megabytes: int = 1024
    command_line: str = ""  # beside the lab's own

    @property
    def folder(self) -> Path:
        """In the cache."""
        return CACHE / (self.image or self.name)


MOVES = ("base:1", "base:512", "base:512:mbind", "huge:1", "huge:16")
LIVE_MOVES = ("base:1", "base:512", "huge:1")
KERNELS = {kernel.name: kernel for kernel in (
    Kernel("amd64", "linux-image-cloud-amd64", moves=MOVES),
    # No huge pages there, and a migration that waits for a grace period.
    Kernel("rt", "linux-image-rt-amd64"),
    Kernel("highmem", "linux-image-686-pae", "i386", megabytes=2048),
    Kernel("gigantic", "linux-image-cloud-amd64", moves=("gigantic:1",), megabytes=7168,
           command_line="hugepagesz=1G hugepages=0:1,1:1"))}
USUAL = ("amd64", "rt", "highmem")      # a gigantic page takes a minute to move and check


@dataclasses.dataclass(frozen=True)
class Unpacked:
    """A kernel that is ready to boot and to build modules against."""

    release: str            # 6.1.0-37-cloud-amd64
    package: str            # of the image, with version; or who named it
    pinned: bool            # all checksums are those of kernels.json
    vmlinuz: Path
    headers: Path           # KDIR of a module's build


def has_kvm() -> bool:
    """Whether the lab takes times; without KVM it counts instructions."""
    # The device alone says little: guests may show one that runs nothing.
    cpu = set(Path("/proc/cpuinfo").read_text().split())
    return bool(cpu & {"vmx", "svm"}) and os.access("/dev/kvm", os.R_OK | os.W_OK)


def find(name: str, adopted: Iterable[str] | None = None) -> Kernel:
    """One of KERNELS, or one that adopt() was given before, by its release.

    adopted: the names of those, if known; else the cache is asked.
    """
    if name in KERNELS:
        return KERNELS[name]
    if name in (fetched_names() if adopted is None else adopted):
        return Kernel(name, moves=MOVES)
    raise Misuse(f"kernel {name!r}", "the lab does not have it", f"choose from "
                 f"{', '.join(KERNELS)}, or give another's image: make kernel-lab KERNEL=vmlinuz-..")


def answers(kernel: Kernel, experiment: str) -> bool:
    """Whether the lab asks a kernel for that: ladder, moves or live."""
    return experiment == "ladder" or bool(kernel.moves) and (
        experiment == "moves" or set(LIVE_MOVES) <= set(kernel.moves))


def what_runs() -> list[Path]:
    """The files of what runs in the lab: kernel module, movepages with its headers, and
    what starts them."""
    folders = [path for pattern in ("kmod/*.[ch]", "moves/*.[ch]")
               for path in sorted(paths.CTOOLS.glob(pattern))
               if not path.name.endswith(".mod.c")]     # left by a build there
    return [*folders, *(paths.CTOOLS / name for name in (
        "movepages.c", "buffers.c", "buffers.h", "numbers.c", "numbers.h", "clock.h", "random.h")),
        *(Path(__file__).with_name(name) for name in ("lab.py", "guest.py")), PINS]


def digest() -> str:
    """Eight hex digits that change when anything does that runs in the lab."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in what_runs())).hexdigest()[:8]


def kbuild_takes(folder: Path) -> bool:
    """Whether kernel modules can be built there: make splits names at spaces, and
    the shells that it starts at more."""
    return bool(re.fullmatch(r"[\w/.+~@-]+", str(folder)))


def lacking() -> str:
    """What this machine lacks for the lab, and how to get it; "" for nothing."""
    if platform.machine() != "x86_64":
        return f"the lab's kernels are for x86-64, this machine is {platform.machine()}"
    if not kbuild_takes(CACHE):
        return ("needs a cache folder with a plain name, as kbuild takes no other: set XDG_CACHE_HOME "
                "to one without spaces or quotes")
    found = {package for tool, package in TOOLS.items() if not shutil.which(tool)}
    return f"needs {', '.join(sorted(found))}: apt-get install {' '.join(sorted(found))}" \
        if found else ""


def fetched(kernel: Kernel) -> bool:
    """Whether nothing of that kernel has to be downloaded any more."""
    return _ready(kernel).exists()


def fetched_names() -> list[str]:
    """The names of all such kernels, adopted ones included."""
    images = {kernel.image for kernel in KERNELS.values()}
    return [kernel.name for kernel in KERNELS.values() if fetched(kernel)] + sorted(
        path.parent.name for path in CACHE.glob("*/ready.json") if path.parent.name not in images)


def fetch(kernel: Kernel, say) -> Unpacked:
    """Downloads and unpacks a kernel and its headers, unless cached."""
    with _cache_to_ourselves():
        _fetch(kernel, say)
    stored = json.loads(_ready(kernel).read_text())
    return Unpacked(**{**stored, "vmlinuz": Path(stored["vmlinuz"]),
                       "headers": Path(stored["headers"])})


@contextlib.contextmanager
def _cache_to_ourselves() -> Iterator[None]:
    """Other checkouts have the same cache."""
    try:
        lock = paths.locked(CACHE / ".lock")
    except OSError as error:
        raise Unwritable(f"cannot write {CACHE}", error.strerror or str(error),
                         "make room, or set XDG_CACHE_HOME to a folder you may write to") from error
    with lock:
        yield


def _fetch(kernel: Kernel, say) -> None:
    if not fetched(kernel):
        say(f"fetching the {kernel.name} kernel and its headers into {CACHE}: once")
        root = kernel.folder / "root"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        packages, pinned = _packages(kernel.image, say)
        for package in packages:
            _run(["dpkg-deb", "-x", package.path, root], "unpack a package")
        shutil.rmtree(root / "lib", ignore_errors=True)     # its modules: hundreds of MB
        _point_headers_into(root)
        vmlinuz, = (root / "boot").glob("vmlinuz-*")
        release = vmlinuz.name.removeprefix("vmlinuz-")
        _write_ready(kernel, Unpacked(
            release, f"{packages[0].name} {packages[0].version}", pinned, vmlinuz,
            root / "usr" / "src" / f"linux-headers-{release}"))


def adopt(vmlinuz: str) -> Kernel:
    """The kernel that a user names by its image; headers where they usually are."""
    image = Path(vmlinuz).expanduser().resolve()
    release = image.name.partition("-")[2]
    if not image.is_file() or not release:
        raise Misuse(f"KERNEL={vmlinuz}", "not a file named like a kernel",
                     "give one such as /boot/vmlinuz-RELEASE")
    places = [Path(f"/lib/modules/{release}/build"), Path(f"/usr/src/linux-headers-{release}"),
              image.parent / "build"]
    headers = next((p for p in places if (p / "Makefile").exists()), None)
    if headers is None:
        raise Lacking(f"KERNEL={vmlinuz}", "no headers to build a module against in "
                      + ", ".join(map(str, places)), "install them, or link the last of these to them")
    _write_ready(Kernel(release), Unpacked(release, "named by the user", False, image, headers))
    return find(release)


def _ready(kernel: Kernel) -> Path:
    """What a kernel in the cache is made of; written last."""
    return kernel.folder / "ready.json"


def _write_ready(kernel: Kernel, unpacked: Unpacked) -> None:
    paths.write_atomically(_ready(kernel), json.dumps(
        dataclasses.asdict(unpacked), default=str, indent=1).encode())


def busybox(architecture: str, say) -> Path:
    """A shell and its tools in one static program, for the virtual machine."""
    folder = CACHE / f"busybox-{architecture}"
    with _cache_to_ourselves():
        if not folder.exists():
            packages, _ = _packages(BUSYBOX, say)
            package, = (p for p in packages if p.name.endswith(f":{architecture}"))
            with tempfile.TemporaryDirectory(dir=CACHE) as name:
                _run(["dpkg-deb", "-x", package.path, Path(name) / "root"], "unpack busybox")
                (Path(name) / "root").rename(folder)
    return folder / "bin" / "busybox"


@dataclasses.dataclass(frozen=True)
class Package:
    """One package of one architecture, as the pins and apt's lists name it."""

    name: str               # with its architecture: linux-kbuild-6.1:amd64
    version: str
    sha256: str

    @property
    def path(self) -> Path:
        return CACHE / "packages" / f"{self.sha256}.deb"


def pins() -> dict[str, list[Package]]:
    """Metapackage to the packages that this project was tested with."""
    return {name: [Package(**package) for package in packages]
            for name, packages in json.loads(PINS.read_text()).items()}


def newest(name: str) -> list[Package]:
    """The same, as the mirror has them today."""
    if name == BUSYBOX:
        return [_known(f"{BUSYBOX}:{a}") for a in ("amd64", "i386")]
    architecture = next(k.architecture for k in KERNELS.values() if k.image == name)
    image = _dependency(f"{name}:{architecture}", r"linux-image-\d")
    headers = f"{image.replace('linux-image', 'linux-headers')}:{architecture}"
    common = _dependency(headers, r"linux-headers-\S+-common")
    # The tools that build run here, whatever they build for.
    kbuild = _dependency(headers, r"linux-kbuild-")
    return [_known(name) for name in (f"{image}:{architecture}", headers,
                                      f"{common}:amd64", f"{kbuild}:amd64")]


class _Gone(Problem):
    """The mirror no longer has a package in that version."""


def _packages(name: str, say) -> tuple[list[Package], bool]:
    """Packages on disk, and whether they are the pinned ones."""
    pinned = pins().get(name, [])
    try:
        for package in pinned:
            _download(package)
        if pinned:
            return pinned, True
    except _Gone:
        say(f"the pinned packages of {name} have left the mirror: taking the newest")
    found = newest(name)
    for package in found:
        _download(package)
    return found, found == pinned


def _download(package: Package) -> None:
    """Into the cache, if it is not there whole."""
    if package.path.exists() and _sha256(package.path) == package.sha256:
        return
    package.path.parent.mkdir(parents=True, exist_ok=True)
    # In a folder of its own: a killed download leaves nothing that looks done.
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        try:
            _apt("apt-get", "-q", "download", f"{package.name}={package.version}",
                 folder=Path(name))
        except Lacking as problem:
            # apt has no status of its own for it.
            if "was not found" in problem.why or "Unable to locate" in problem.why:
                raise _Gone(f"package {package.name}", "not on the mirror",
                            "take the newest") from problem
            raise
        fresh, = Path(name).glob("*.deb")
        if (digest := _sha256(fresh)) != package.sha256:
            raise Damaged(f"package {package.name}", f"its checksum is {digest[:12]}.., not "
                          f"{package.sha256[:12]}..", "use another mirror, or correct the pin")
        fresh.rename(package.path)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _known(name: str) -> Package:
    shown = _apt("apt-cache", "show", "--no-all-versions", name)
    fields = dict(re.findall(r"^(Version|SHA256): (\S+)$", shown, re.MULTILINE))
    return Package(name, fields["Version"], fields["SHA256"])


def _dependency(name: str, pattern: str) -> str:
    shown = _apt("apt-cache", "show", "--no-all-versions", name)
    depends = re.search(r"^Depends: (.*)$", shown, re.MULTILINE)
    words = re.split(r"[,|]\s*", depends[1]) if depends else []
    found = [word.split()[0] for word in words if re.match(pattern, word)]
    if not found:
        raise Lacking(f"package {name}", f"does not depend on any {pattern}",
                      "the lab knows Debian's kernels only: give another with KERNEL=")
    return found[0].partition(":")[0]


@functools.cache
def _lists() -> list[str]:
    """apt's options for a tree of our own, its lists fetched once a run."""
    tree = CACHE / "apt"
    for name in ("lists/partial", "archives/partial", "etc"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    (tree / "status").touch()
    options = [f"Dir::State={tree}", f"Dir::State::status={tree}/status",
               f"Dir::State::lists={tree}/lists", f"Dir::Cache={tree}",
               f"Dir::Cache::archives={tree}/archives", f"APT::Sandbox::User={getpass.getuser()}",
               "APT::Architecture=amd64", "APT::Architectures::=amd64",
               "APT::Architectures::=i386", "Acquire::Languages=none",
               "APT::Get::AllowUnauthenticated=false"]
    flags = [word for option in options for word in ("-o", option)]
    # One list of several may be out of step with its mirror: what is missing
    # then is said when a package is asked for.
    with contextlib.suppress(Problem):
        _run(["apt-get", "-q", *flags, "update"], "fetch package lists")
    return flags


def _apt(program: str, *arguments: str, folder: Path | None = None) -> str:
    flags = _lists()
    return _run([program, *flags, *arguments], f"ask apt for {arguments[-1]}", cwd=folder)


def _run(command: list, what: str, cwd: Path | None = None) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=cwd,
                          env={**os.environ, "LC_ALL": "C"}, preexec_fn=ctools.die_with_parent)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise Lacking(f"cannot {what}", one_line(said[-1] if said else "no reason given"),
                      "the lab needs a mirror of the distribution the first time; see the README")
    return done.stdout


def _point_headers_into(root: Path) -> None:
    """The headers' Makefiles name each other below /usr: below our tree now."""
    for makefile in (root / "usr" / "src").glob("linux-headers-*/**/Makefile"):
        text = makefile.read_text()
        if "/usr/" in text and len(text) < 4000:
            makefile.write_text(re.sub(r"(?<![\w.])/usr/(src|lib)/", rf"{root}/usr/\1/", text))
