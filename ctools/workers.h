/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_H
#define WORKERS_H

#include <stdint.h>

/* How a worker learns that there is work. */
enum dispatch {
	DISPATCH_SPAWN,		/* a new thread for each copy */
	DISPATCH_WAKE,		/* a sleeping thread, woken: a workqueue */
	DISPATCH_SPIN,		/* a thread that waits on a hot CPU */
};

/* Does part number "part" of a copy; parts are 0 .. threads - 1. */
typedef void part_fn(void *job, unsigned int part);

struct team {
	unsigned int threads;	/* parts, the caller's own included */
	enum dispatch dispatch;
	int caller_works;	/* else the caller only waits */
};

/*
 * A pool of sleeping threads. Worker k runs on cpus[k], and over again where
 * there are fewer; the caller on cpus[0]. Returns NULL where no thread can be made.
 */
struct workers *workers_create(unsigned int count, const int *cpus,
			       unsigned int cpu_count);
void workers_destroy(struct workers *w);

/* Untimed: put the team's workers on their toes before, to sleep after. */
void workers_ready(struct workers *w, const struct team *team);
void workers_rest(struct workers *w, const struct team *team);

/* Returns when every part is done. */
void workers_run(struct workers *w, const struct team *team,
		 part_fn *fn, void *job);

/*
 * CPU time a part's worker has used so far, in ns; for DISPATCH_SPAWN that of
 * the thread which did the part last. The caller's own part has none.
 */
uint64_t workers_cpu_ns(struct workers *w, const struct team *team,
			unsigned int part);

int pin_to_cpu(int cpu);

#endif
