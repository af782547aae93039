/* SPDX-License-Identifier: MIT */
#ifndef RING_H
#define RING_H

#include <stddef.h>

/* A ring of pointers, one to a cache line, in random order. */
struct ring;

struct ring *ring_create(size_t bytes); /* NULL: no memory */
void ring_destroy(struct ring *ring);
void ring_walk(struct ring *ring, size_t steps);
size_t ring_lines(const struct ring *ring);

/* What one load of a warm ring of so many bytes takes; 0: no memory. */
double ring_load_ns(size_t bytes);

#endif
