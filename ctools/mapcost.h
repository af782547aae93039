/* SPDX-License-Identifier: MIT */
#ifndef MAPCOST_H
#define MAPCOST_H

#include <stddef.h>
#include <stdint.h>

#include "primitives.h"

/*
 * A range copied as one call of the primitive per extent, each wrapped in
 * what a kernel of some era does to map the pages. With the extent as long
 * as the range it is a bulk copy.
 */
typedef void map_loop_fn(char *dst, const char *src, size_t len, size_t extent,
			 copy_fn *copy, uint64_t delay_loops);

enum map { MAP_NONE, MAP_2026, MAP_2017, MAP_2017_VOLUNTARY, MAP_DELAY };

struct map_cost {
	const char *desc;
	map_loop_fn *loop;
};

extern const char *const map_words[];	  /* ends with NULL */
extern const struct map_cost map_costs[]; /* one for each word */

/*
 * A modelled map cost: a delay of so many turns of a loop. Calibrate first;
 * achieved_ns() then times what a delay really takes, between two copies of
 * nothing, because frequency and inlining may have changed it.
 */
void delay_calibrate(void);
uint64_t delay_loops_for(double ns);
double delay_achieved_ns(uint64_t loops);

#endif
