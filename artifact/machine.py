# SPDX-License-Identifier: MIT
"""What can explain that another machine, or another day, gives other figures.

No host name, user name, address or path is recorded: the kernel command line
is reduced to the parameters known to matter, and the rest is counted.
"""

import functools
import glob
import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from artifact import microarchitecture, paths
from artifact.problem import Damaged

# Kernel parameters that change what copying costs; a trailing dot is a prefix.
TELLING_PARAMETERS = (
    "audit", "cgroup_disable", "clocksource", "cpuidle.", "cpuidle_haltpoll.", "default_hugepagesz",
    "haltpoll.", "hugepages", "hugepagesz", "idle", "init_on_alloc", "init_on_free",
    "intel_idle.", "intel_pstate", "amd_pstate", "irqaffinity", "isolcpus", "kpti", "l1tf",
    "maxcpus", "mce", "mds", "mem", "mitigations", "mminit_loglevel", "nohz", "nohz_full",
    "nopti", "nosmt", "nospectre_v1", "nospectre_v2", "nr_cpus", "numa", "numa_balancing",
    "page_reporting.", "preempt", "processor.", "pti", "rcu_nocbs", "retbleed", "slab_nomerge",
    "spec_store_bypass_disable", "spectre_v2", "swiotlb", "threadirqs",
    "transparent_hugepage", "tsc", "tsx")


def record() -> dict:
    """The machine as it is now, as JSON-ready values."""
    return {
        "cpu": _cpu(),
        "caches": _caches(),
        "numa_nodes": {node: _node(node) for node in memory_nodes()},
        "memory_bytes": _meminfo("MemTotal"),
        "transparent_huge_pages": {
            name: _chosen(_read(f"/sys/kernel/mm/transparent_hugepage/{name}"))
            for name in ("enabled", "defrag")},
        "kernel": {"release": platform.release(), "version": platform.version(),
                   "command_line": _command_line()},
        "mitigations": {Path(p).name: _read(p) for p in
                        sorted(glob.glob("/sys/devices/system/cpu/vulnerabilities/*"))},
        "virtual_machine": _hypervisor(),
        "clock_source": _read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "cgroup_limits": _cgroup_limits(),
        "operating_system": _operating_system(),
        "libc": " ".join(platform.libc_ver()),
        "compiler": compiler(),
        "python": platform.python_version(),
        "commit": commit(),
    }


def volatile() -> dict[str, float]:
    """What changes while a run goes on: read before and after each process.

    Steal time is in CPU-seconds since boot, summed over the CPUs.
    """
    fields = _read("/proc/stat").splitlines()[0].split()
    return {"steal_seconds": int(fields[8]) / os.sysconf("SC_CLK_TCK")}


def busiest_cpu(seconds: float) -> float:
    """Share, 0..1, of the next so many seconds in which the busiest CPU works."""
    before = _busy_ticks()
    time.sleep(seconds)
    return max((busy - busy0) / max(total - total0, 1) for (busy, total), (busy0, total0)
               in zip(_busy_ticks(), before))


def usable_cpus() -> list[int]:
    """CPUs this process may run on."""
    return sorted(os.sched_getaffinity(0))


def memory_nodes() -> list[int]:
    """NUMA nodes that have memory."""
    return expand_list(_read("/sys/devices/system/node/has_memory")) or [0]


def memory_bytes() -> int:
    """Memory this process may use: the machine's or its cgroup's, if less."""
    limits = [_meminfo("MemTotal")]
    for name in ("memory.max", "memory.limit_in_bytes"):
        text = _cgroup_limits().get(name, "")
        if text.isdecimal():
            limits.append(int(text))
    return min(limits)


def node_cpus(node: int) -> list[int]:
    """The CPUs of a NUMA node; none where it has memory alone."""
    return expand_list(_node(node)["cpus"])


def placements() -> dict[str, list[int]]:
    """CPU orders in which the thread count grows, by name.

    ``spread`` takes the last-level cache domains in turn and physical cores
    before their siblings; ``packed`` fills one domain first; ``sibling``
    fills both threads of a core first. Orders equal to an earlier one are
    left out, so a machine without the topology has ``spread`` alone.
    """
    cpus = [(cpu, _llc_domain(cpu), _core(cpu), _thread_number(cpu)) for cpu in usable_cpus()]
    place = {}
    for cpu, domain, core, thread in cpus:
        rank = sum(1 for _, d, c, t in cpus if d == domain and t == thread and c < core)
        place[cpu] = (domain, core, thread, rank)
    orders = {
        "spread": sorted(place, key=lambda cpu: (place[cpu][2], place[cpu][3], place[cpu][0])),
        "packed": sorted(place, key=lambda cpu: (place[cpu][2], place[cpu][0], place[cpu][3])),
        "sibling": sorted(place, key=lambda cpu: (place[cpu][0], place[cpu][1], place[cpu][2])),
    }
    kept: dict[str, list[int]] = {}
    for name, order in orders.items():
        if order not in kept.values():
            kept[name] = order
    return kept


@functools.cache
def commit() -> str:
    """The version that measures: a git commit, marked where files differ.

    A release tarball has no git; there the package's version stands in.
    """
    from artifact import __version__

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", paths.ROOT, *arguments], capture_output=True,
                              text=True, check=True).stdout.strip()
    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != paths.ROOT:
            return f"release {__version__}"
        changed = git("status", "--porcelain", "--", "artifact", "ctools", "notebooks")
        return git("rev-parse", "--short=12", "HEAD") + (" with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return f"release {__version__}"


def load(path: Path) -> dict:
    """A machine record from its file; Damaged where it is none."""
    try:
        found = json.loads(path.read_text())
        found["cpu"]["model"], found["kernel"]["release"]
        return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"machine record {paths.shown(path)}", f"not readable ({error})",
                      "delete it; the next run rewrites it") from error


def summary(found: dict) -> str:
    """One line for under a figure: CPU, caches, nodes, kernel."""
    return (f"{cpu_name(found['cpu'])}, {cpus(found)}, {last_level(found)}, "
            f"{len(found['numa_nodes'])} NUMA node(s), Linux {found['kernel']['release']}, "
            f"{where(found)}")


def cpu_name(cpu: dict) -> str:
    """"AMD EPYC (Zen 4)": what a record calls its CPU, and what that is, if known."""
    found = microarchitecture.of(cpu)
    return f"{cpu['model']} ({found})" if found and found not in cpu["model"] else cpu["model"]


def cpus(found: dict) -> str:
    """Their number, with what is known of threads, core types and governor."""
    cpu = found["cpu"]
    # A hypervisor may hide that its CPUs share a core, and not make it up.
    smt = {"on": " with SMT", "off": "" if found["virtual_machine"] else " without SMT"}
    told = f"{cpu['usable']} CPUs{smt.get(cpu.get('smt', ''), '')}"
    if kinds := cpu.get("core_types"):
        told += f" ({kinds})"
    return told + (f", governor {cpu['governor']}" if cpu["governor"] else "")


def last_level(found: dict) -> str:
    """"32 MiB L3", or that it is not known."""
    caches = found["caches"]
    return f"{caches[-1]['bytes'] >> 20} MiB L{caches[-1]['level']}" if caches else "caches unknown"


def where(found: dict) -> str:
    """What it runs on."""
    return f"{found['virtual_machine']} guest" if found["virtual_machine"] else "bare metal"


def kind(found: dict) -> tuple:
    """What machines of one kind have in common. Behind a hypervisor a CPU's name may be
    that of several generations, which its family and model tell apart."""
    cpu = found["cpu"]
    return cpu["model"], cpu["family_model_stepping"], cpu["usable"], len(found["numa_nodes"])


def energy_counters() -> tuple[list[str], str]:
    """Counter files in uJ of the whole packages, and why there are none."""
    found = sorted(f"{zone}/energy_uj" for zone in glob.glob("/sys/class/powercap/intel-rapl:*")
                   if _read(f"{zone}/name").startswith("package-"))
    if not found:
        return [], "this machine shows no energy counters (no /sys/class/powercap/intel-rapl)"
    readable = [path for path in found if os.access(path, os.R_OK)]
    return readable, "" if readable else "only root may read this machine's energy counters"


def expand_list(text: str) -> list[int]:
    """The kernel's list format: '0-2,4' is [0, 1, 2, 4]."""
    numbers: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return numbers


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _chosen(text: str) -> str:
    """The bracketed word of 'always [madvise] never'."""
    found = re.search(r"\[(.+?)\]", text)
    return found[1] if found else text


def _cpu() -> dict:
    usable, each = usable_cpus(), _cpuinfo()
    fields = each[min(each, default=0)] if each else {}
    keys = ("CPU implementer", "CPU part", "CPU variant") if "CPU part" in fields else \
        ("cpu family", "model", "stepping")
    return {
        "model": fields.get("model name") or fields.get("CPU part") or platform.machine(),
        "architecture": platform.machine(),
        "family_model_stepping": "/".join(fields.get(key, "?") for key in keys),
        "mhz": float(fields.get("cpu MHz") or 0),
        "microcode": fields.get("microcode", ""),
        "flags": (fields.get("flags") or fields.get("Features") or "").split(),
        "online": os.cpu_count(),
        "usable": len(usable),
        "cores": len({(_read(_topology(cpu, "physical_package_id")), _core(cpu)) for cpu in usable}),
        "core_types": core_types(usable, each),
        "smt": smt(usable),
        "governor": governor(usable),
        "boost": _read("/sys/devices/system/cpu/cpufreq/boost"),
    }


def _cpuinfo() -> dict[int, dict[str, str]]:
    """The fields of /proc/cpuinfo, by CPU."""
    blocks = [dict(re.split(r"\s*:\s?", line, maxsplit=1) for line in block.splitlines()
                   if ":" in line) for block in _read("/proc/cpuinfo").split("\n\n")]
    return {int(fields["processor"]): fields for fields in blocks
            if fields.get("processor", "").isdecimal()}


def core_types(cpus: list[int], cpuinfo: dict[int, dict[str, str]]) -> str:
    """"performance 0-7, efficient 8-15" where these CPUs are not all alike; else ""."""
    for kinds in (_intel_type, lambda cpu: _part(cpuinfo.get(cpu, {})), _capacity):
        if len({kinds(cpu) for cpu in cpus}) > 1:
            return _by_cpu(cpus, kinds)
    return ""


def smt(cpus: list[int]) -> str:
    """"on" where two threads share a core, as the kernel has it; "" where it does not tell."""
    told = {"1": "on", "0": "off"}.get(_read("/sys/devices/system/cpu/smt/active"))
    if told:
        return told
    siblings = [_read(_topology(cpu, "thread_siblings_list")) for cpu in cpus]
    if not any(siblings):
        return ""
    return "on" if any(len(expand_list(each)) > 1 for each in siblings) else "off"


def governor(cpus: list[int]) -> str:
    """Of these CPUs: a word, or "mixed" with whose is which; "" where none is shown."""
    def of(cpu: int) -> str:
        return _read(f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor") or "none"
    found = {of(cpu) for cpu in cpus}
    if len(found) > 1:
        return f"mixed: {_by_cpu(cpus, of)}"
    return "".join(found - {"none"})


def _intel_type(cpu: int) -> str:
    """As the counters of a hybrid machine are named; "" on others."""
    return next((word for folder, word in (
        ("cpu_core", "performance"), ("cpu_atom", "efficient"), ("cpu_lowpower", "low power"))
        if cpu in expand_list(_read(f"/sys/devices/{folder}/cpus"))), "")


def _part(fields: dict[str, str]) -> str:
    """What arm64 calls a core, in words if there are some."""
    told = f"{fields.get('CPU implementer', '')}/{fields.get('CPU part', '')}"
    return microarchitecture.of({"architecture": "aarch64", "model": "",
                                 "family_model_stepping": told}) or told.strip("/")


def _capacity(cpu: int) -> str:
    """How much a CPU does, of 1024 for the largest."""
    told = _read(f"/sys/devices/system/cpu/cpu{cpu}/cpu_capacity")
    return f"capacity {told}" if told else ""


def _by_cpu(cpus: list[int], word: Callable[[int], str]) -> str:
    """Each word with the CPUs that it is of: 'fast 0-3, slow 4-7'."""
    words: dict[str, list[int]] = {}
    for cpu in cpus:
        words.setdefault(word(cpu) or "unknown", []).append(cpu)
    return ", ".join(f"{word} {_as_list(cpus)}" for word, cpus in words.items())


def _as_list(cpus: list[int]) -> str:
    """The kernel's list format, as expand_list() reads it."""
    starts = [cpu for cpu in cpus if cpu - 1 not in cpus]
    ends = [cpu for cpu in cpus if cpu + 1 not in cpus]
    return ",".join(f"{a}-{b}" if a < b else f"{a}" for a, b in zip(starts, ends, strict=True))


def _topology(cpu: int, name: str) -> str:
    return f"/sys/devices/system/cpu/cpu{cpu}/topology/{name}"


def _core(cpu: int) -> int:
    siblings = expand_list(_read(_topology(cpu, "thread_siblings_list")))
    return min(siblings, default=cpu)


def _thread_number(cpu: int) -> int:
    siblings = expand_list(_read(_topology(cpu, "thread_siblings_list"))) or [cpu]
    return siblings.index(cpu)


def _llc_domain(cpu: int) -> int:
    shared = [_read(f"{index}/shared_cpu_list") for index in _cache_indexes(cpu)]
    return min(expand_list(shared[-1]), default=0) if shared else 0


def last_level_caches(cpus: Iterable[int]) -> int:
    """Bytes of all that these CPUs have, each once; where the machine does not tell, what
    pagecopy takes them for."""
    found = {}
    for cpu in cpus:
        if caches := _caches(cpu):
            shared = _read(f"{_cache_indexes(cpu)[-1]}/shared_cpu_list")
            found[shared] = max(caches, key=lambda cache: cache["level"])["bytes"]
    return sum(found.values()) or 64 << 20


def _cache_indexes(cpu: int) -> list[str]:
    sysfs = os.environ.get("PAGECOPY_SYSFS", "/sys")        # as pagecopy: another one for tests
    return sorted(glob.glob(f"{sysfs}/devices/system/cpu/cpu{cpu}/cache/index*"))


def _caches(cpu: int = 0) -> list[dict]:
    found = []
    for index in _cache_indexes(cpu):
        size = _read(f"{index}/size")
        if _read(f"{index}/type") != "Instruction" and size.endswith("K"):
            found.append({"level": int(_read(f"{index}/level")), "bytes": int(size[:-1]) << 10,
                          "shared_by_cpus": len(expand_list(_read(f"{index}/shared_cpu_list")))})
    return found


def _node(node: int) -> dict:
    folder = f"/sys/devices/system/node/node{node}"
    return {"cpus": _read(f"{folder}/cpulist"), "distances": _read(f"{folder}/distance")}


def _meminfo(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    return int(found[1]) << 10 if found else 0


def _command_line() -> dict:
    telling, others = [], 0
    for word in _read("/proc/cmdline").split():
        name = word.partition("=")[0]
        if any(name == known or known.endswith(".") and name.startswith(known)
               for known in TELLING_PARAMETERS) and "/" not in word:
            telling.append(word)
        else:
            others += 1
    return {"telling": telling, "others": others}


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def _hypervisor() -> str:
    if "hypervisor" not in _read("/proc/cpuinfo"):
        return ""
    try:
        lscpu = subprocess.run(["lscpu"], capture_output=True, text=True,
                               env={**os.environ, "LC_ALL": "C"}).stdout
    except OSError:
        lscpu = ""
    found = re.search(r"Hypervisor vendor:\s+(\S+)", lscpu)
    return found[1] if found else "unknown hypervisor"


def _cgroup_limits() -> dict[str, str]:
    """Limits on this process, in the kernel's own words; '' where unlimited."""
    limits = {}
    for line in _read("/proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        base = "/sys/fs/cgroup" + (f"/{controllers}" if controllers else "") + group.rstrip("/")
        for name in ("cpu.max", "memory.max", "cpu.cfs_quota_us", "memory.limit_in_bytes",
                     "cpuset.cpus.effective"):
            text = _read(f"{base}/{name}")
            if text:
                limits[name] = text
    return limits


def compiler() -> str:
    """The C compiler's own first line."""
    try:
        done = subprocess.run([os.environ.get("CC", "cc"), "--version"], capture_output=True,
                              text=True)
        return done.stdout.splitlines()[0] if done.stdout else ""
    except OSError:
        return ""


def _busy_ticks() -> list[tuple[int, int]]:
    ticks = []
    for line in _read("/proc/stat").splitlines():
        if re.match(r"cpu\d", line):
            fields = [int(word) for word in line.split()[1:9]]
            ticks.append((sum(fields) - fields[3] - fields[4], sum(fields)))
    return ticks
