/* SPDX-License-Identifier: MIT */
#ifndef LOAD_H
#define LOAD_H

#include <stdint.h>

/*
 * Background load on each of the CPUs: 100 is one thread that never rests,
 * 50 one that rests half of the time, 200 two. NULL where 0 or no thread.
 */
struct load;

struct load *load_start(unsigned int percent, const int *cpus,
			unsigned int cpu_count);
void load_stop(struct load *load);

/* Units of some us that all of it has done; of no load, 0. */
uint64_t load_work(const struct load *load);

#endif
