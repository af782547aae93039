/* SPDX-License-Identifier: MIT */
#ifndef VICTIMS_H
#define VICTIMS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Who suffers: work that has nothing to do with any copy. All of it is
 * threads of this process, so that none of it can outlive it.
 */
enum victim_kind {
	VICTIM_NONE,
	VICTIM_INTEGER,		/* registers only */
	VICTIM_L2,		/* pointer chase through half the L2 */
	VICTIM_LLC,		/* the same through what no L2 holds but the LLC */
	VICTIM_STREAM,		/* reads more than any cache holds */
	VICTIM_TIMER,		/* wakes up 1000 times a second */
};

extern const char *const victim_names[];	/* ends with NULL */

struct victim;

/* Returns NULL and leaves *wrong where it cannot be. */
struct victim *victim_start(enum victim_kind kind, int cpu,
			    const char **wrong);
void victim_stop(struct victim *v);

struct victim_state {
	uint64_t units;		/* of work, all alike */
	uint64_t cpu_ns;
	uint64_t switches;	/* involuntary */
	size_t wakeups;
};

struct victim_state victim_read(struct victim *v);

/* How late the nth wake-up of a timer victim came, in ns. */
uint64_t victim_lateness(const struct victim *v, size_t nth);

/* A ring of pointers, one to a cache line, in random order. */
struct ring;
struct ring *ring_create(size_t bytes);
void ring_destroy(struct ring *ring);
void ring_walk(struct ring *ring, size_t steps);
size_t ring_lines(const struct ring *ring);

/* Bytes that a victim of that kind works on: 0 where not known. */
size_t victim_bytes(enum victim_kind kind);

/*
 * Background load on each of the CPUs: 100 is one thread that never rests,
 * 50 one that rests half of the time, 200 two. NULL where 0 or no thread.
 */
struct load;
struct load *load_start(unsigned int percent, const int *cpus,
			unsigned int cpu_count);
void load_stop(struct load *load);

#endif
