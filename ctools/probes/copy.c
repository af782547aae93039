// SPDX-License-Identifier: MIT
/* A sample is one copy by one migrator. */
#include "../clock.h"
#include "../probe.h"

static void add_timeline(struct arm *arm, const struct timeline *t,
			 uint64_t start, uint64_t end)
{
	add_value(arm, CHANNEL_ALLOCATED, t->allocated - start);
	add_value(arm, CHANNEL_QUEUED, t->queued - start);
	add_value(arm, CHANNEL_LAST_END, t->last_end - start);
	add_value(arm, CHANNEL_JOINED, end - start);
	add_fact(arm, FACT_TAKEN_BACK, !t->last_start);
	if (!t->last_start)
		return;
	add_value(arm, CHANNEL_FIRST_START, t->first_start - start);
	add_value(arm, CHANNEL_LAST_START, t->last_start - start);
	add_value(arm, CHANNEL_WAIT, t->last_start - t->allocated);
}

static void add_observed(struct arm *arm, const struct observed *seen)
{
	if (arm->v.parts == PARTS_SHARED && !arm->v.chunk) {
		add_fact(arm, FACT_PARTS, arm->v.team.threads);
		add_fact(arm, FACT_DRAINED, seen->drained);
	}
	if (arm->v.pick != PICK_IDLE)
		return;
	add_fact(arm, FACT_SCANNED, seen->scanned);
	add_fact(arm, FACT_FOUND_IDLE, seen->found_idle);
	add_fact(arm, FACT_STALE, seen->stale);
}

struct sample time_copy(struct bench *b, struct arm *arm,
			const struct span *span)
{
	const struct variant *v = &arm->v;
	struct observed seen = {};
	struct sample sample = {};
	struct workers *w = begin_sample(b, v, &sample);
	uint64_t start, end;

	start = now_ns();
	copy_span(v, w, 0, span, &seen);
	end = now_ns();
	end_sample(b, v, w, &sample);
	note_copy(b, arm, span);
	sample.ns = v->observe == OBSERVE_STRETCH ? seen.call_ns : end - start;
	add_observed(arm, &seen);
	/* None where no worker was asked, as no CPU looked idle. */
	if (seen.timeline.queued)
		add_timeline(arm, &seen.timeline, start, end);
	return sample;
}

static struct sample take_copy(struct bench *b, struct arm *arm)
{
	struct span span = next_span(b, &arm->v);
	struct sample sample;

	prepare_caches(b, &span);
	phase_begin(b, PHASE_SAMPLES);
	sample = time_copy(b, arm, &span);
	add_load_work(b, arm, &sample);
	return sample;
}

static int is_copy(const struct cell *cell, const struct variant *v)
{
	(void)cell;
	(void)v;
	return 1;
}

const struct probe copy_probe = {
	.is_for = is_copy,
	.take = take_copy,
	.workers = team_size,
	.amount = bytes_copied,
	.times_copies = 1,
	.heading = copies_heading,
};
