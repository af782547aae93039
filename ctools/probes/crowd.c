// SPDX-License-Identifier: MIT
/* A sample is what several migrators take to copy at the same time. */
#include "../probe.h"

static struct sample take_crowd(struct bench *b, struct arm *arm)
{
	const struct variant *v = &arm->v;
	unsigned int copies = copies_of(v);
	struct workers *w = team_workers(b, v);
	struct span spans[copies];
	uint64_t latency_ns[copies];
	struct sample sample = {};

	for (unsigned int i = 0; i < copies; i++) {
		spans[i] = next_span(b, v);
		prepare_caches(b, &spans[i]);
	}
	phase_begin(b, PHASE_SAMPLES);
	if (w)
		sample.worker_cpu_ns = workers_cpu_ns(w);
	sample.load_work = load_work(b->load);
	sample.ns = migrators_run(b->migrators, v, w, spans, latency_ns);
	sample.load_work = load_work(b->load) - sample.load_work;
	sample.caller_cpu_ns = migrators_cpu_ns(b->migrators);
	if (w)
		sample.worker_cpu_ns = workers_cpu_ns(w) - sample.worker_cpu_ns;
	for (unsigned int i = 0; i < copies; i++) {
		add_value(arm, CHANNEL_LATENCY, latency_ns[i]);
		note_copy(b, arm, &spans[i]);
	}
	add_load_work(b, arm, &sample);
	return sample;
}

static int is_crowd(const struct cell *cell, const struct variant *v)
{
	(void)cell;
	return v->migrators > 1;
}

static const char *open_crowd(struct bench *b)
{
	unsigned int most = 1;

	for (unsigned int i = 0; i < b->count; i++)
		if (b->arms[i].v.migrators > most)
			most = b->arms[i].v.migrators;
	b->migrators = migrators_create(most, b->cell.cpus, b->cell.cpu_count);
	return b->migrators ? NULL :
			      "cannot make threads: see ulimit -u and -v";
}

static void close_crowd(struct bench *b)
{
	migrators_destroy(b->migrators);
}

const struct probe crowd_probe = {
	.is_for = is_crowd,
	.take = take_crowd,
	.open = open_crowd,
	.close = close_crowd,
	.workers = team_size,
	.amount = bytes_copied,
	.times_copies = 1,
	.heading = copies_heading,
};
