// SPDX-License-Identifier: MIT
/* A sample is a pass over a working set after a copy went through its cache. */
#include "../clock.h"
#include "../probe.h"
#include "../ring.h"

#define PASSES 6

/* A sample is the first pass over a warm working set after the copy. */
static struct sample take_recovery(struct bench *b, struct arm *arm)
{
	const struct variant *v = &arm->v;
	size_t lines = ring_lines(b->ring);
	struct sample sample = {};
	struct observed unused;
	struct workers *w;
	uint64_t before, after;

	ring_walk(b->ring, 2 * lines);
	phase_begin(b, PHASE_SAMPLES);
	w = begin_sample(b, v, &sample);
	if (v->strategy != STRATEGY_ALONE) {
		struct span span = next_span(b, v);

		copy_span(v, w, 0, &span, &unused);
		note_copy(b, arm, &span);
	}
	end_sample(v, w, &sample);
	before = now_ns();
	for (int pass = 0; pass < PASSES; pass++) {
		ring_walk(b->ring, lines);
		after = now_ns();
		if (!pass)
			sample.ns = after - before;
		add_value(arm, CHANNEL_PASS, after - before);
		before = after;
	}
	return sample;
}

static int is_recovery(const struct cell *cell, const struct variant *v)
{
	(void)v;
	return cell->recover != NULL;
}

static const char *open_recovery(struct bench *b)
{
	b->ring = ring_create(victim_bytes(b->cell.recover));
	return b->ring ? NULL : victim_no_memory;
}

static void close_recovery(struct bench *b)
{
	ring_destroy(b->ring);
}

const struct probe recovery_probe = {
	.is_for = is_recovery,
	.take = take_recovery,
	.open = open_recovery,
	.close = close_recovery,
	.workers = team_size,
	.amount = bytes_of_a_folio,
	.heading = times_heading,
};
