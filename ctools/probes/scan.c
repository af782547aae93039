// SPDX-License-Identifier: MIT
/* A sample is a look whether CPUs are idle: no copy at all. */
#include "../clock.h"
#include "../idle.h"
#include "../probe.h"

/* Every CPU's line, written by the first worker before the caller looks. */
static void write_lines(void *cpus, unsigned int part)
{
	for (unsigned int nth = 0; part && nth < *(unsigned int *)cpus; nth++)
		idle_publish(nth, 0);
}

static struct sample take_scan(struct bench *b, struct arm *arm)
{
	const struct variant *v = &arm->v;
	const struct team writers = { .threads = 2, .dispatch = DISPATCH_WAKE };
	struct workers *w = b->workers[PRIORITY_NORMAL][0];
	struct sample sample = {};
	uint64_t start;

	if (v->scan == SCAN_WRITTEN)
		workers_run(w, &writers,
			    &(struct call){ .fn = write_lines,
					    .job = &v->scan_cpus,
					    .job_bytes = sizeof(v->scan_cpus),
					    .parts = 2,
					    .awaited = 2 },
			    NULL);
	else
		idle_scan(v->scan_cpus);
	phase_begin(b, PHASE_SAMPLES);
	start = now_ns();
	for (int look = 0; look < scan_looks(v); look++)
		idle_scan(v->scan_cpus);
	sample.ns = now_ns() - start;
	sample.ns += !sample.ns;
	return sample;
}

static int is_scan(const struct cell *cell, const struct variant *v)
{
	(void)cell;
	return v->strategy == STRATEGY_SCAN;
}

static unsigned int writers(const struct cell *cell, const struct variant *v)
{
	(void)cell;
	return v->scan == SCAN_WRITTEN ? 2 : 0;
}

static size_t looks(const struct cell *cell, const struct variant *v)
{
	(void)cell;
	return (size_t)scan_looks(v);
}

const struct probe scan_probe = {
	.is_for = is_scan,
	.take = take_scan,
	.workers = writers,
	.amount = looks,
	.heading = times_heading,
};
