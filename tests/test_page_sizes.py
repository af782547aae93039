# SPDX-License-Identifier: MIT
"""Page sizes are the running kernel's; other kernels are played by a preloaded library."""

import json
import os
import subprocess

import pytest

KERNEL = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

long sysconf(int name)
{
	long (*real)(int) = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");

	return name == _SC_PAGESIZE ? PAGE : real(name);
}

FILE *fopen(const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *) =
		(FILE *(*)(const char *, const char *))dlsym(RTLD_NEXT, "fopen");

	if (!strstr(path, "hpage_pmd_size"))
		return real(path, mode);
	return sizeof(PMD) > 1 ? fmemopen(PMD, sizeof(PMD) - 1, mode) : NULL;
}
"""


@pytest.fixture
def kernel(tmp_path):
    """The environment of a process on a kernel with such pages; pmd: what the file says,
    "" where there is none."""
    def made(page, pmd):
        source, library = tmp_path / "kernel.c", tmp_path / f"kernel-{page}-{pmd.strip()}.so"
        source.write_text(KERNEL)
        subprocess.run(["gcc", "-shared", "-fPIC", f"-DPAGE={page}", f"-DPMD={json.dumps(pmd)}",
                        source, "-o", library, "-ldl"], check=True)
        return {**os.environ, "LD_PRELOAD": str(library)}
    return made


def sizes(pagecopy, environment):
    """Of a base and of a huge page, unless asked for."""
    explained = pagecopy("--explain", "--json", "serial:page:libc", env=environment)[1]
    resolved = json.loads(explained)["variants"][0]["resolved"]
    return resolved["extent"], resolved["bytes"]


@pytest.mark.parametrize("page, pmd, huge", [(4096, "2097152\n", 2 << 20),
                                             (16384, "33554432\n", 32 << 20),
                                             (65536, "536870912\n", 512 << 20),
                                             (65536, "", 2 << 20)])
def test_pages_are_those_of_the_kernel(pagecopy, kernel, page, pmd, huge):
    assert sizes(pagecopy, kernel(page, pmd)) == (page, huge)


def test_asked_sizes_are_taken_on_any_kernel(pagecopy, kernel):
    status, output, said = pagecopy("--verify", "--backing=auto", "--pairs=4", "--base=4K",
                                    "--huge=2M", "serial:page:libc",
                                    env=kernel(16384, "33554432\n"))
    assert (status, output.count("every byte right"), said) == (0, 1, [])


def test_other_pages_are_copied_and_told(pagecopy, kernel):
    environment = kernel(16384, "33554432\n")
    status, output, said = pagecopy("--backing=auto", "--pairs=2", "--processes=1", "--rounds=2",
                                    "serial:page:libc", env=environment)
    assert (status, said) == (0, []) and "32768 KiB folios of 16 KiB pages" in output
    status, output, said = pagecopy("--verify", "--backing=auto", "--pairs=2",
                                    "serial:bulk:libc:folios=2:bytes=32760K", env=environment)
    assert status == 1 and "must leave 16K of each folio" in said[0]
