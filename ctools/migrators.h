/* SPDX-License-Identifier: MIT */
#ifndef MIGRATORS_H
#define MIGRATORS_H

#include <stdint.h>

#include "strategies.h"

/*
 * Threads that want folios copied at the same time: number k on cpus[k], and
 * over again; the calling thread is number 0.
 */
struct migrators;

struct migrators *migrators_create(unsigned int count, const int *cpus,
				   unsigned int cpu_count);
void migrators_destroy(struct migrators *m);

/* Copies that each migrator makes, one after the other, in one sample. */
#define MIGRATOR_COPIES 8

static inline unsigned int copies_of(const struct variant *v)
{
	return v->migrators > 1 ? v->migrators * MIGRATOR_COPIES : 1;
}

/*
 * v->migrators of them at once, each on spans of its own: migrator k's copies
 * are spans[k * MIGRATOR_COPIES] and on. latency_ns has as many places.
 * Returns the time from the first start to the last end.
 */
uint64_t migrators_run(struct migrators *m, const struct variant *v,
		       struct workers *w, const struct span *spans,
		       uint64_t *latency_ns);

/* CPU time of all migrators over the last sample, in ns. */
uint64_t migrators_cpu_ns(const struct migrators *m);

#endif
