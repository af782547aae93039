/* SPDX-License-Identifier: MIT */
#ifndef VICTIMS_H
#define VICTIMS_H

#include <stddef.h>
#include <stdint.h>

#define WAITS_KEPT (1u << 20)

/* All waits so far, of which the last are kept; one thread adds to them. */
struct waits {
	_Atomic size_t count;
	uint32_t ns[WAITS_KEPT];
};

void waits_add(struct waits *waits, uint64_t ns);

/*
 * Who suffers: work that has nothing to do with any copy. All of it is
 * threads of this process, so that none of it can outlive it. To add one:
 * a file in victims/, and a line in the table of victims.c.
 */
struct victim_kind {
	const char *name;
	const char *desc;
	const char *unit; /* what one unit of its work is */
	/* Returns its state, or NULL and leaves *wrong where it cannot be. */
	void *(*open)(const struct victim_kind *kind, const char **wrong);
	void (*do_unit)(void *state);
	void (*close)(void *state);
	/* What follows may be NULL. Bytes that it works on: */
	size_t (*bytes)(void);
	/* It chases pointers through a cache: a pass can be timed, too. */
	int chases;
	/* Bytes a load from which must be slower, or its cache is not ours: */
	size_t (*beyond)(void);
	/* It waits: in place of units, how long for each time. */
	const struct waits *(*waits)(void *state);
};

extern const struct victim_kind *const victim_kinds[]; /* ends with NULL */

/* Names of all kinds, or only of those that chase; ends with NULL. */
const char *const *victim_words(int chases);
const struct victim_kind *victim_find(const char *name);

/* 0 where not known, or nobody. */
size_t victim_bytes(const struct victim_kind *kind);

/* What to leave in *wrong. */
extern const char victim_no_memory[], victim_no_thread[];

/* Half of the L2; and what no cache holds. */
size_t half_of_l2(void);
size_t beyond_caches(void);

/* Wakes up every so many ns. */
#define TIMER_NS 1000000u

/* Integer work of some us: in registers only. */
void integer_work(void);

/* Keeps a result alive that nobody reads. */
static inline void keep(uint64_t value)
{
	__asm__ volatile("" : : "r"(value));
}

/* A victim at work, in a thread of its own. */
struct victim;

/* Returns NULL and leaves *wrong where it cannot be. */
struct victim *victim_start(const struct victim_kind *kind, int cpu,
			    const char **wrong);
void victim_stop(struct victim *v);

struct victim_state {
	uint64_t units; /* of work, all alike */
	uint64_t cpu_ns;
	uint64_t switches; /* involuntary */
	size_t waits;
};

struct victim_state victim_read(struct victim *v);

/* How long the nth wait of a victim that waits was. */
uint64_t victim_wait_ns(const struct victim *v, size_t nth);

#endif
