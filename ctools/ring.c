// SPDX-License-Identifier: MIT
/* Pointers to chase: each load waits for the one before. */
#include <stdlib.h>

#include "buffers.h"
#include "clock.h"
#include "random.h"
#include "ring.h"
#include "victims.h"

#define LINE 64

struct ring {
	struct pool pool;
	void **at;
};

struct ring *ring_create(size_t bytes)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	unsigned int lines = (unsigned int)(bytes / LINE);
	uint64_t seed = 1;
	unsigned int *order;

	if (!ring)
		return NULL;
	if (pool_create(&ring->pool, bytes, BACKING_AUTO, -1)) {
		free(ring);
		return NULL;
	}
	order = calloc(lines, sizeof(*order));
	if (!order) {
		ring_destroy(ring);
		return NULL;
	}
	for (unsigned int i = 0; i < lines; i++)
		order[i] = i;
	shuffle(order, lines, random_next, &seed);
	for (unsigned int i = 0; i < lines; i++)
		*(void **)(ring->pool.start + (size_t)order[i] * LINE) =
			ring->pool.start +
			(size_t)order[(i + 1) % lines] * LINE;
	ring->at = (void **)ring->pool.start;
	free(order);
	return ring;
}

void ring_destroy(struct ring *ring)
{
	if (!ring)
		return;
	pool_destroy(&ring->pool);
	free(ring);
}

size_t ring_lines(const struct ring *ring)
{
	return ring->pool.bytes / LINE;
}

void ring_walk(struct ring *ring, size_t steps)
{
	void **at = ring->at;

	while (steps--)
		at = *at;
	keep((uintptr_t)at);
	ring->at = at;
}

double ring_load_ns(size_t bytes)
{
	struct ring *ring = ring_create(bytes);
	size_t steps = 1 << 15;
	uint64_t start;
	double ns;

	if (!ring)
		return 0;
	if (steps > ring_lines(ring))
		steps = ring_lines(ring);
	/* Twice round what is small; of what is large no part is warm. */
	ring_walk(ring, 2 * steps);
	start = now_ns();
	ring_walk(ring, steps);
	ns = (double)(now_ns() - start) / (double)steps;
	ring_destroy(ring);
	return ns;
}
