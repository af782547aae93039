/* SPDX-License-Identifier: MIT */
#ifndef ENERGY_H
#define ENERGY_H

#include <stdint.h>

#define COUNTERS 16

struct energy {
	uint64_t uj[COUNTERS], range[COUNTERS]; /* range 0: not known */
};

/* "files" are counters in uJ, with commas between; NULL: none. */
int energy_readable(const char *files);
struct energy read_energy(const char *files);
uint64_t energy_since(const struct energy *before, const char *files);

#endif
