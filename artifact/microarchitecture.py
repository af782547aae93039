# SPDX-License-Identifier: MIT
"""The microarchitecture behind a CPU's name, from what any machine record has.

A hypervisor gives several generations one name and hides what flags it likes: by its
flags a Zen 4 guest without pku is no Zen 4. Family and model it passes on, or the guest's
kernel could not choose its own workarounds. They are matched as the kernel does, after
arch/x86/kernel/cpu/amd.c and arch/x86/include/asm/intel-family.h, on arm64 after
arch/arm64/include/asm/cputype.h.
"""

# By family, which no two makers share: the maker, and the models of each microarchitecture.
X86: dict[int, tuple[str, dict[str, set[int]]]] = {
    6: ("Intel", {
        "Sandy Bridge": {0x2a, 0x2d}, "Ivy Bridge": {0x3a, 0x3e},
        "Haswell": {0x3c, 0x3f, 0x45, 0x46}, "Broadwell": {0x3d, 0x47, 0x4f, 0x56},
        # The names after it are those of products.
        "Skylake": {0x4e, 0x5e, 0x55, 0x8e, 0x9e, 0xa5, 0xa6},
        "Ice Lake": {0x6a, 0x6c, 0x7d, 0x7e}, "Tiger Lake": {0x8c, 0x8d}, "Rocket Lake": {0xa7},
        "Sapphire Rapids": {0x8f}, "Emerald Rapids": {0xcf}, "Granite Rapids": {0xad, 0xae},
        "Alder Lake": {0x97, 0x9a}, "Raptor Lake": {0xb7, 0xba, 0xbf}, "Meteor Lake": {0xaa, 0xac},
        "Arrow Lake": {0xb5, 0xc5, 0xc6}, "Lunar Lake": {0xbd},
        "Gracemont": {0xbe}, "Sierra Forest": {0xaf}}),
    23: ("AMD", {
        "Zen 1": {*range(0x30), *range(0x50, 0x60)},
        "Zen 2": {*range(0x30, 0x50), *range(0x60, 0x80), 0x90, 0x91, *range(0xa0, 0xb0)}}),
    25: ("AMD", {
        "Zen 3": {*range(0x10), *range(0x20, 0x60)},
        "Zen 4": {*range(0x10, 0x20), *range(0x60, 0xb0)}}),
    26: ("AMD", {"Zen 5": {*range(0x30), *range(0x40, 0x50), *range(0x60, 0x80)}})}

# By implementer: the maker, and what its part numbers are.
ARM64: dict[int, tuple[str, dict[int, str]]] = {
    0x41: ("Arm", {
        0xd03: "Cortex-A53", 0xd04: "Cortex-A35", 0xd05: "Cortex-A55", 0xd07: "Cortex-A57",
        0xd08: "Cortex-A72", 0xd09: "Cortex-A73", 0xd0a: "Cortex-A75", 0xd0b: "Cortex-A76",
        0xd0c: "Neoverse N1", 0xd0d: "Cortex-A77", 0xd40: "Neoverse V1", 0xd41: "Cortex-A78",
        0xd44: "Cortex-X1", 0xd46: "Cortex-A510", 0xd47: "Cortex-A710", 0xd48: "Cortex-X2",
        0xd49: "Neoverse N2", 0xd4d: "Cortex-A715", 0xd4e: "Cortex-X3", 0xd4f: "Neoverse V2",
        0xd80: "Cortex-A520", 0xd81: "Cortex-A720", 0xd82: "Cortex-X4", 0xd84: "Neoverse V3",
        0xd8e: "Neoverse N3"}),
    0x43: ("Cavium", {0x0a1: "ThunderX", 0x0af: "ThunderX2"}),
    0x46: ("Fujitsu", {0x001: "A64FX"}),
    0x48: ("HiSilicon", {0xd01: "TSV110"}),
    0xc0: ("Ampere", {0xac3: "Ampere-1", 0xac4: "Ampere-1A"})}


def of(cpu: dict) -> str:
    """"Zen 4", of the CPU of a machine record; "" where the tables do not have it."""
    first, second, third = _numbers(cpu)
    if cpu.get("architecture") == "aarch64":
        return ARM64.get(first, ("", {}))[1].get(second, "")
    if (first, second) == (6, 0x55) and third >= 5:
        return "Cooper Lake" if third >= 10 else "Cascade Lake"
    models = X86.get(first, ("", {}))[1]
    return next((name for name, known in models.items() if second in known), "")


def maker(cpu: dict) -> str:
    """"AMD", of the CPU of a machine record; "" where the tables do not have it."""
    table = ARM64 if cpu.get("architecture") == "aarch64" else X86
    return table.get(_numbers(cpu)[0], ("",))[0]


def _numbers(cpu: dict) -> tuple[int, int, int]:
    """Family, model and stepping, or implementer, part and variant; -1 where not known."""
    told = cpu.get("family_model_stepping", "").split("/")
    if cpu.get("architecture") == "aarch64" and told[0] in ("", "?"):
        told = ["0x41", cpu["model"]]       # records up to 2026 kept the part alone
    numbers = [*map(_number, told), -1, -1, -1]
    return numbers[0], numbers[1], numbers[2]


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return -1
