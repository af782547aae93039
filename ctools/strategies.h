/* SPDX-License-Identifier: MIT */
#ifndef STRATEGIES_H
#define STRATEGIES_H

#include <stddef.h>
#include <stdint.h>

#include "mapcost.h"
#include "primitives.h"
#include "workers.h"

#define VARIANT_NAME_MAX	128

/* What a sample is the time of. */
enum observe {
	OBSERVE_COPY,		/* the whole copy */
	OBSERVE_STRETCH,	/* its longest call: no reschedule inside */
};

/* One way to copy folios; what a line of output and an arm of a cell is. */
struct variant {
	char name[VARIANT_NAME_MAX];	/* as asked for */
	const struct primitive *primitive;
	const struct map_cost *map;
	size_t extent;		/* bytes given to one call; 0: all of a part */
	double delay_ns;	/* asked for, per extent */
	uint64_t delay_loops;
	int parallel;
	struct team team;	/* of one thread when not parallel */
	unsigned int folios;	/* copied by one call of the strategy */
	enum observe observe;
};

/* "folios" folios of "folio" bytes each, one after the other. */
struct span {
	char *dst;
	const char *src;
	size_t folio;
	unsigned int folios;
};

/* The longest call in ns when that is observed, else 0. */
uint64_t copy_span(const struct variant *v, struct workers *w,
		   const struct span *span);

/*
 * Parses "STRATEGY:RULE:PRIMITIVE[:KEY=VALUE]..." for folios of the given
 * size. Returns NULL, or what is wrong with the text, in one line.
 */
const char *variant_parse(struct variant *v, const char *text,
			  size_t base, size_t folio);

/* "4K", "2M", "1G" or plain bytes; 0 where the text is none of them. */
size_t parse_size(const char *text);

#endif
