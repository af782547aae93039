// SPDX-License-Identifier: MIT
/* Samples whose time is a copy's: of one migrator, of several, of a scan. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "idle.h"
#include "samples.h"

struct span next_span(struct bench *b, const struct variant *v)
{
	size_t offset;

	/* A batch is one run of folios: at the pool's end it starts over. */
	if (b->next_pair + v->folios > b->cell.pairs)
		b->next_pair = 0;
	offset = b->next_pair * b->cell.folio;
	b->next_pair += v->folios;
	return (struct span){
		.dst = b->dst.start + offset,
		.src = b->src.start + offset,
		.folio = v->bytes,
		.stride = b->cell.folio,
		.folios = v->folios,
	};
}

struct workers *team_workers(struct bench *b, const struct variant *v)
{
	return v->strategy == STRATEGY_PARALLEL ?
		b->workers[v->team.priority][v->team.unbound] : NULL;
}

void add_value(struct arm *arm, enum channel channel, uint64_t ns)
{
	struct values *values = &arm->channel[channel];

	if (values->count == values->room) {
		size_t room = values->room ? 2 * values->room : 64;
		uint64_t *grown = realloc(values->at, room * sizeof(*grown));

		if (!grown)
			abort();	/* a few kilobytes */
		values->at = grown;
		values->room = room;
	}
	values->at[values->count++] = ns;
}

void add_fact(struct arm *arm, enum fact fact, uint64_t count)
{
	if (arm->fact[fact] < 0)
		arm->fact[fact] = 0;
	arm->fact[fact] += (int64_t)count;
}

static void prepare_caches(const struct bench *b, const struct span *span)
{
	size_t bytes = span->stride * span->folios;

	/* Cold needs no work: the pools are larger than the caches. */
	if (b->cell.src_warm)
		warm_source(span->src, bytes);
	if (b->cell.dst_warm)
		warm_destination(span->dst, bytes);
}

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
	if (arm->v.pick != PICK_IDLE)
		return;
	add_fact(arm, FACT_SCANNED, seen->scanned);
	add_fact(arm, FACT_FOUND_IDLE, seen->found_idle);
	add_fact(arm, FACT_STALE, seen->stale);
}

struct workers *begin_sample(struct bench *b, const struct variant *v,
			     struct sample *sample)
{
	struct workers *w = team_workers(b, v);

	if (w) {
		workers_ready(w, &v->team);
		sample->worker_cpu_ns = workers_cpu_ns(w);
	}
	sample->caller_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	return w;
}

void end_sample(const struct variant *v, struct workers *w,
		struct sample *sample)
{
	sample->caller_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) -
				sample->caller_cpu_ns;
	if (w) {
		workers_rest(w, &v->team);
		sample->worker_cpu_ns = workers_cpu_ns(w) -
					sample->worker_cpu_ns;
	}
}

struct sample take_copy(struct bench *b, struct arm *arm)
{
	const struct variant *v = &arm->v;
	struct span span = next_span(b, v);
	struct observed seen = {};
	struct sample sample = {};
	struct workers *w;
	uint64_t start, end;

	prepare_caches(b, &span);
	w = begin_sample(b, v, &sample);
	start = now_ns();
	copy_span(v, w, 0, &span, &seen);
	end = now_ns();
	end_sample(v, w, &sample);
	sample.ns = v->observe == OBSERVE_STRETCH ? seen.longest_ns :
						    end - start;
	add_observed(arm, &seen);
	/* None where no worker was asked, as no CPU looked idle. */
	if (seen.timeline.queued)
		add_timeline(arm, &seen.timeline, start, end);
	return sample;
}

struct sample take_crowd(struct bench *b, struct arm *arm)
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
	if (w)
		sample.worker_cpu_ns = workers_cpu_ns(w);
	sample.ns = migrators_run(b->migrators, v, w, spans, latency_ns);
	sample.caller_cpu_ns = migrators_cpu_ns(b->migrators);
	if (w)
		sample.worker_cpu_ns = workers_cpu_ns(w) -
				       sample.worker_cpu_ns;
	for (unsigned int i = 0; i < copies; i++)
		add_value(arm, CHANNEL_LATENCY, latency_ns[i]);
	return sample;
}

/* Every CPU's line, written by the first worker before the caller looks. */
static void write_lines(void *cpus, unsigned int part)
{
	for (unsigned int nth = 0; part && nth < *(unsigned int *)cpus; nth++)
		idle_publish(nth, 0);
}

struct sample take_scan(struct bench *b, struct arm *arm)
{
	const struct variant *v = &arm->v;
	const struct team writers = { .threads = 2, .dispatch = DISPATCH_WAKE };
	struct workers *w = b->workers[PRIORITY_NORMAL][0];
	struct sample sample = {};
	uint64_t start;

	if (v->scan == SCAN_WRITTEN)
		workers_run(w, &writers, &(struct call){
			.fn = write_lines, .job = &v->scan_cpus,
			.job_bytes = sizeof(v->scan_cpus), .parts = 2,
			.awaited = 2 }, NULL);
	else
		idle_scan(v->scan_cpus);
	start = now_ns();
	for (int look = 0; look < scan_looks(v); look++)
		idle_scan(v->scan_cpus);
	sample.ns = now_ns() - start;
	sample.ns += !sample.ns;
	return sample;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

double median_ns(const uint64_t *samples, size_t count)
{
	uint64_t *sorted;
	double middle;

	if (!count)
		return 0;
	sorted = malloc(count * sizeof(*sorted));
	if (!sorted)
		abort();
	memcpy(sorted, samples, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(sorted[0]), by_value);
	middle = ((double)sorted[(count - 1) / 2] +
		  (double)sorted[count / 2]) / 2;
	free(sorted);
	return middle;
}
