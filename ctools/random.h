/* SPDX-License-Identifier: MIT */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

typedef uint64_t random_fn(uint64_t *state);

/* splitmix64 (Vigna, public domain) */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline void shuffle(unsigned int *order, unsigned int count,
			   random_fn *next, uint64_t *state)
{
	for (unsigned int i = count; i > 1; i--) {
		unsigned int j = (unsigned int)(next(state) % i);
		unsigned int swap = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swap;
	}
}

#endif
