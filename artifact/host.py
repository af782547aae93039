# SPDX-License-Identifier: MIT
"""The live machine, asked once: the facts that a plan is made from."""

import dataclasses
import typing

from artifact import ctools, machine
from artifact.measuring import kernels
from artifact.problem import Problem


@dataclasses.dataclass(frozen=True)
class Lab:
    """What the virtual machine with real kernels needs and has here.

    lacks: what it lacks, with how to get it; "" for nothing. fetched: the
    names of kernels that need no download any more. kvm: it takes times, where
    else it counts instructions. digest: of all that runs in it.
    """

    lacks: str
    fetched: tuple[str, ...]
    kvm: bool
    digest: str

    @property
    def unit(self) -> str:
        return "ns" if self.kvm else "instructions"


@dataclasses.dataclass(frozen=True)
class Host:
    """Facts of a machine and of a user on it.

    cpus: that this process may use. placements: orders in which the thread
    count grows, by name. nodes: those with memory, each with its CPUs. lacks:
    copy routine to what it needs and this CPU has not, "" where it runs.
    copy_page, folio_mc_copy: the routine that a kernel has for it here. roles: copy
    routine to what it stands for. refused: what the system does not allow, and why:
    "nodes" (placing memory), "limit" (a CPU limit).
    victims: name to what it does. energy: counter files in uJ.
    migrator_copies: of each migrator in a sample. scan_most: CPUs that can be
    looked at.
    """

    cpus: tuple[int, ...]
    placements: dict[str, tuple[int, ...]]
    nodes: dict[int, tuple[int, ...]]
    memory_bytes: int
    energy: tuple[str, ...]
    no_energy: str
    high_priority: bool
    refused: dict[str, str]
    copy_page: str
    folio_mc_copy: str
    lacks: dict[str, str]
    roles: dict[str, tuple[str, ...]]
    victims: dict[str, str]
    migrator_copies: int
    scan_most: int
    lab: Lab

    @property
    def near(self) -> tuple[int, ...]:
        """CPUs in the order of ``spread``, on the node of the first: teams stay
        there, as those of every posted series."""
        order = self.placements["spread"]
        local = next((cpus for cpus in self.nodes.values() if order[0] in cpus), order)
        return tuple(cpu for cpu in order if cpu in local)

    def fits(self, size: int) -> bool:
        """Whether two pools of so many bytes are a quarter of the memory at most."""
        return 2 * size <= self.memory_bytes // 4

    def differences(self, other: "Host") -> list[str]:
        """In what the other is another machine, or another user of it: what
        decides which cells can be measured."""
        names = {"cpus": "CPUs", "placements": "placements of threads", "nodes": "NUMA nodes",
                 "high_priority": "nice -20 allowed", "copy_page": "copy_page()",
                 "folio_mc_copy": "folio_mc_copy()",
                 "lacks": "copy routines that do not run"}
        return [f"{label} {_brief(mine)}, here {_brief(theirs)}" for key, label in names.items()
                if (mine := getattr(self, key)) != (theirs := getattr(other, key))]

    def as_json(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, stored: dict) -> "Host":
        kept: dict[str, typing.Any] = {
            **stored,
            "placements": {name: tuple(order) for name, order in stored["placements"].items()},
            "nodes": {int(node): tuple(cpus) for node, cpus in stored["nodes"].items()},
            "roles": {name: tuple(roles) for name, roles in stored["roles"].items()},
            "lab": Lab(**{**stored["lab"], "fetched": tuple(stored["lab"]["fetched"])}),
        }
        kept.setdefault("folio_mc_copy", kept["copy_page"])      # runs of protocol 3
        for key in ("cpus", "energy"):
            kept[key] = tuple(stored[key])
        return cls(**kept)


def here() -> Host:
    """This machine, now. Raises Lacking where pagecopy cannot be built."""
    listed = ctools.listed()
    energy, no_energy = machine.energy_counters()
    nodes = machine.memory_nodes()
    return Host(
        cpus=tuple(machine.usable_cpus()),
        placements={name: tuple(order) for name, order in machine.placements().items()},
        nodes={node: tuple(machine.node_cpus(node)) for node in nodes},
        memory_bytes=machine.memory_bytes(),
        energy=tuple(energy), no_energy=no_energy,
        high_priority=listed["high_priority"],
        refused={"nodes": _refused([f"--source-node={nodes[0]}",
                                    f"--destination-node={nodes[-1]}"]) if len(nodes) > 1 else "",
                 "limit": _refused(["--limit=50"])},
        copy_page=listed["copy_page"], folio_mc_copy=listed["folio_mc_copy"],
        lacks={name: facts["lacks"] or "" for name, facts in listed["primitives"].items()},
        roles={name: tuple(facts["roles"]) for name, facts in listed["primitives"].items()},
        victims={name: facts["description"] for name, facts in listed["victims"].items()},
        migrator_copies=listed["migrator_copies"], scan_most=listed["scan_most"],
        lab=lab())


def lab() -> Lab:
    """The virtual machine's part of it, which changes when kernels are fetched."""
    return Lab(lacks=kernels.lacking(), fetched=tuple(kernels.fetched_names()),
               kvm=kernels.has_kvm(), digest=kernels.digest())


def _refused(options: list[str]) -> str:
    """Why pagecopy cannot be run so, as in most containers; "" where it can."""
    try:
        ctools.run(["--verify", "--pairs=1", "--backing=auto", *options, "serial:bulk:libc"])
        return ""
    except Problem as problem:
        return problem.why


def _brief(value) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
