// SPDX-License-Identifier: MIT
/* A sample is a pass over a working set after a copy went through its cache. */
#include "../clock.h"
#include "../probe.h"
#include "../ring.h"

#define PASSES 6

/* Passes over the ring, and how long each took. */
struct walk {
	struct ring *ring;
	unsigned int passes;
	uint64_t ns[PASSES];
};

static void walk(struct walk *walk)
{
	uint64_t before = now_ns(), after;

	for (unsigned int pass = 0; pass < walk->passes; pass++) {
		ring_walk(walk->ring, ring_lines(walk->ring));
		after = now_ns();
		walk->ns[pass] = after - before;
		before = after;
	}
}

static void walk_part(void *job, unsigned int part)
{
	(void)part;
	walk(*(struct walk **)job);
}

/* By the caller, or where the first worker runs while the caller waits. */
static struct walk walk_times(struct bench *b, unsigned int passes)
{
	struct walk done = { .ring = b->ring, .passes = passes }, *job = &done;
	const struct team one = { .threads = 1,
				  .dispatch = DISPATCH_WAKE,
				  .caller = CALLER_WAITS };

	if (b->walker)
		workers_run(b->walker, &one,
			    &(struct call){ .fn = walk_part,
					    .job = &job,
					    .job_bytes = sizeof(job),
					    .parts = 1,
					    .awaited = 1 },
			    NULL);
	else
		walk(job);
	return done;
}

/* A sample is the first pass over a warm working set after the copy. */
static struct sample take_recovery(struct bench *b, struct arm *arm)
{
	const struct variant *v = &arm->v;
	struct sample sample = {};
	struct observed unused;
	struct workers *w;
	struct walk after;

	walk_times(b, 2);
	phase_begin(b, PHASE_SAMPLES);
	w = begin_sample(b, v, &sample);
	if (v->strategy != STRATEGY_ALONE) {
		struct span span = next_span(b, v);

		copy_span(v, w, 0, &span, &unused);
		note_copy(b, arm, &span);
	}
	end_sample(b, v, w, &sample);
	after = walk_times(b, PASSES);
	for (int pass = 0; pass < PASSES; pass++)
		add_value(arm, CHANNEL_PASS, after.ns[pass]);
	sample.ns = after.ns[0];
	return sample;
}

static int is_recovery(const struct cell *cell, const struct variant *v)
{
	(void)v;
	return cell->recover != NULL;
}

static const char *open_recovery(struct bench *b)
{
	const struct cell *c = &b->cell;

	b->ring = ring_create(victim_bytes(c->recover));
	if (!b->ring)
		return victim_no_memory;
	if (!c->recover_on_worker)
		return NULL;
	/* Not one of the workers, who would have to be idle for it. */
	b->walker = workers_create(1, PRIORITY_NORMAL, 0, &c->cpus[1], 1);
	return b->walker ? NULL : "cannot make threads: see ulimit -u and -v";
}

static void close_recovery(struct bench *b)
{
	workers_destroy(b->walker);
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
