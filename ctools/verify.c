// SPDX-License-Identifier: MIT
/* Every byte of a copy, and what lies around it. */
#include <inttypes.h>
#include <stdio.h>

#include "probe.h"

/*
 * The last folios of the pools, so that what lies around them is partly guard.
 * Whole folios are one range; of parts of them each is its own.
 */
struct ranges {
	size_t start, bytes, stride;
	unsigned int count;
};

static struct ranges last_folios(struct bench *b, const struct variant *v,
				 unsigned int folios)
{
	size_t stride = b->cell.folio;

	b->next_pair = b->cell.pairs - folios;
	return (struct ranges){
		.start = b->next_pair * stride,
		.bytes = v->bytes < stride ? v->bytes : folios * stride,
		.stride = stride,
		.count = v->bytes < stride ? folios : 1,
	};
}

static const char *check_ranges(struct bench *b, const struct variant *v,
				const struct ranges *r)
{
	static char message[256];

	for (unsigned int i = 0; i < r->count; i++) {
		int64_t wrong = first_wrong(&b->dst, &b->src,
					    r->start + i * r->stride, r->bytes);

		if (wrong == NOTHING_WRONG)
			continue;
		snprintf(message, sizeof(message),
			 "%s: wrong copy at byte %" PRId64 " of %zu%s", v->name,
			 wrong, r->bytes, v->defects ? "" : ": not timed");
		return message;
	}
	return NULL;
}

static void copy_once(struct bench *b, const struct variant *v, int wait)
{
	unsigned int copies = copies_of(v);
	struct workers *w = team_workers(b, v);
	struct span spans[copies];
	uint64_t latency_ns[copies];
	struct observed unused;

	for (unsigned int i = 0; i < copies; i++)
		spans[i] = next_span(b, v);
	if (w)
		workers_ready(w, &v->team);
	if (v->migrators > 1)
		migrators_run(b->migrators, v, w, spans, latency_ns);
	else
		copy_span(v, w, 0, &spans[0], &unused);
	if (w && wait)
		workers_rest(w, &v->team);
}

int copies_bytes(const struct variant *v)
{
	return v->strategy != STRATEGY_ALONE && v->strategy != STRATEGY_SCAN &&
		!(v->primitive->roles & ROLE(NOTHING));
}

const char *bench_verify(struct bench *b, const struct arm *arm)
{
	const struct variant *v = &arm->v;
	int early = v->defects & DEFECT_EARLY;
	struct ranges r;
	const char *wrong;

	if (!copies_bytes(v))
		return NULL;
	r = last_folios(b, v, copies_of(v) * v->folios);
	for (unsigned int i = 0; i < r.count; i++)
		spoil(&b->dst, r.start + i * r.stride, r.bytes);
	copy_once(b, v, !early);
	wrong = check_ranges(b, v, &r);
	if (early)
		workers_rest(team_workers(b, v), &v->team);
	return wrong;
}
