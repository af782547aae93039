/* SPDX-License-Identifier: MIT */
#ifndef STRATEGIES_H
#define STRATEGIES_H

#include <stddef.h>
#include <stdint.h>

#include "variant.h"
#include "workers.h"

/* "folios" pieces of "folio" bytes, "stride" bytes apart. */
struct span {
	char *dst;
	const char *src;
	size_t folio, stride;
	unsigned int folios;
};

/* What one copy tells beside its time. */
struct observed {
	uint64_t call_ns;			 /* OBSERVE_STRETCH */
	struct timeline timeline;		 /* OBSERVE_PHASES */
	unsigned int scanned, found_idle, stale; /* pick=idle */
	unsigned int drained; /* parts=shared: parts that the caller did */
};

/* nth: which of the migrators this is. */
void copy_span(const struct variant *v, struct workers *w, unsigned int nth,
	       const struct span *span, struct observed *seen);

#endif
