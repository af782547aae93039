// SPDX-License-Identifier: MIT
/*
 * Victims that wait for a cache: pointer chases through half the L2, and
 * through what no L2 holds but the last level does.
 */
#include "../caches.h"
#include "../ring.h"
#include "../victims.h"

#define LOADS 512 /* some us */

/* Clear of the L2, and small enough to go round often. */
static size_t part_of_llc(void)
{
	size_t least = 4 * half_of_l2(), part = last_level_cache() / 16;

	return part > least ? part : least;
}

static void *chase_open(const struct victim_kind *kind, const char **wrong)
{
	struct ring *ring = ring_create(kind->bytes());

	if (!ring)
		*wrong = victim_no_memory;
	return ring;
}

static void chase_unit(void *ring)
{
	ring_walk(ring, LOADS);
}

static void chase_close(void *ring)
{
	ring_destroy(ring);
}

const struct victim_kind l2_victim = {
	.name = "l2",
	.desc = "L2-resident chase",
	.unit = "512 loads, each waiting for the one before",
	.open = chase_open,
	.do_unit = chase_unit,
	.close = chase_close,
	.bytes = half_of_l2,
	.chases = 1,
};

const struct victim_kind llc_victim = {
	.name = "llc",
	.desc = "LLC-resident chase",
	.unit = "512 loads, each waiting for the one before",
	.open = chase_open,
	.do_unit = chase_unit,
	.close = chase_close,
	.bytes = part_of_llc,
	.chases = 1,
	.beyond = beyond_caches,
};
