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
	OBSERVE_PHASES,		/* the whole copy, with a timeline */
};

enum strategy {
	STRATEGY_SERIAL,
	STRATEGY_PARALLEL,
	STRATEGY_ALONE,		/* no migrator: for victims to be compared with */
	STRATEGY_SCAN,		/* no copy: a look for idle CPUs */
};

/* Mistakes of the posted series, to be studied. All off unless asked for. */
enum defect {
	DEFECT_TAIL = 1,	/* what does not divide by threads is dropped */
	DEFECT_EARLY = 2,	/* waits for as many works as it has threads */
	DEFECT_ZERO = 4,	/* divides by the CPUs rounded down to even */
};

/* One way to copy folios; what a line of output and an arm of a cell is. */
struct variant {
	char name[VARIANT_NAME_MAX];	/* as asked for */
	enum strategy strategy;
	const struct primitive *primitive;
	const struct map_cost *map;
	size_t extent;		/* bytes given to one call; 0: all of a part */
	double delay_ns;	/* asked for, per extent */
	uint64_t delay_loops;
	struct team team;	/* of one thread when not parallel */
	unsigned int folios;	/* copied by one call of the strategy */
	size_t bytes;		/* of each folio, from its start */
	size_t chunk;		/* shared out in such pieces; 0: even parts */
	int rule_2017;		/* always the first CPUs; a work per folio */
	int pick_idle;		/* use no CPU that is seen to be busy */
	unsigned int defects;
	unsigned int migrators;	/* that do this at once */
	enum observe observe;
	unsigned int scan_cpus;
	int scan_written;	/* others wrote what is read */
};

/* Looks in a sample: of hot lines many, for a clock that ticks slowly. */
static inline int scan_looks(const struct variant *v)
{
	return v->scan_written ? 1 : 64;
}

/* "folios" pieces of "folio" bytes, "stride" bytes apart. */
struct span {
	char *dst;
	const char *src;
	size_t folio, stride;
	unsigned int folios;
};

/* What one copy tells beside its time. */
struct observed {
	uint64_t longest_ns;	/* OBSERVE_STRETCH */
	struct timeline timeline;	/* OBSERVE_PHASES */
	unsigned int scanned, found_idle, stale;	/* pick=idle */
};

/* nth: which of the migrators this is. */
void copy_span(const struct variant *v, struct workers *w, unsigned int nth,
	       const struct span *span, struct observed *seen);

/* What variants are read against: sizes in bytes, and how many CPUs. */
struct limits {
	size_t base, folio;
	unsigned int cpus;
};

/*
 * Parses "STRATEGY:RULE:PRIMITIVE[:KEY=VALUE]...". Returns NULL, or what is
 * wrong with the text, in one line.
 */
const char *variant_parse(struct variant *v, const char *text,
			  const struct limits *limits);

/* "4K", "2M", "1G" or plain bytes; 0 where the text is none of them. */
size_t parse_size(const char *text);

#endif
