// SPDX-License-Identifier: MIT
/*
 * The round: every arm of a cell once, in random order, each on the next
 * folios of the pools. Comparing arms of the same round is what makes a
 * ratio hold still on a machine that does not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "clock.h"

static uint64_t random_next(uint64_t *state)
{
	/* splitmix64 (Vigna, public domain) */
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void shuffle(unsigned int *order, unsigned int count, uint64_t *state)
{
	for (unsigned int i = count; i > 1; i--) {
		unsigned int j = (unsigned int)(random_next(state) % i);
		unsigned int swap = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swap;
	}
}

static struct span next_span(struct bench *b, const struct variant *v)
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
		.folio = b->cell.folio,
		.folios = v->folios,
	};
}

static void prepare_caches(const struct bench *b, const struct span *span)
{
	size_t bytes = span->folio * span->folios;

	/* Cold needs no work: the pools are larger than the caches. */
	if (b->cell.src_warm)
		warm_source(span->src, bytes);
	if (b->cell.dst_warm)
		warm_destination(span->dst, bytes);
}

struct sample {
	uint64_t ns, caller_cpu_ns;
};

static void read_worker_clocks(const struct bench *b, const struct variant *v,
			       uint64_t *clocks)
{
	unsigned int first = v->team.caller_works ? 1 : 0;

	for (unsigned int i = first; v->parallel && i < v->team.threads; i++)
		clocks[i] = workers_cpu_ns(b->workers, &v->team, i) - clocks[i];
}

/* worker_cpu_ns: the variant's threads, zeroed; not used when serial. */
static struct sample take_sample(struct bench *b, const struct variant *v,
				 uint64_t *worker_cpu_ns)
{
	struct span span = next_span(b, v);
	struct sample sample;
	uint64_t start, end, cpu, stretch;

	prepare_caches(b, &span);
	if (v->parallel)
		workers_ready(b->workers, &v->team);
	read_worker_clocks(b, v, worker_cpu_ns);
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	start = now_ns();
	stretch = copy_span(v, b->workers, &span);
	end = now_ns();

	sample.caller_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	read_worker_clocks(b, v, worker_cpu_ns);
	if (v->parallel)
		workers_rest(b->workers, &v->team);
	sample.ns = v->observe == OBSERVE_STRETCH ? stretch : end - start;
	return sample;
}

static void run_round(struct bench *b, unsigned int *order, uint64_t *state,
		      unsigned int round)
{
	shuffle(order, b->count, state);
	for (unsigned int slot = 0; slot < b->count; slot++) {
		struct arm *arm = &b->arms[order[slot]];
		uint64_t *workers = arm->worker_cpu_ns +
				    (size_t)round * arm->v.team.threads;
		struct sample sample;

		memset(workers, 0, arm->v.team.threads * sizeof(*workers));
		sample = take_sample(b, &arm->v, workers);
		arm->ns[round] = sample.ns;
		arm->caller_cpu_ns[round] = sample.caller_cpu_ns;
	}
}

const char *bench_run(struct bench *b)
{
	unsigned int order[b->count];
	uint64_t state = b->cell.seed;

	for (unsigned int i = 0; i < b->count; i++)
		order[i] = i;
	/* Once unmeasured; what it writes, the first round overwrites. */
	run_round(b, order, &state, 0);
	for (unsigned int round = 0; round < b->cell.rounds; round++)
		run_round(b, order, &state, round);
	for (unsigned int i = 0; i < b->count; i++) {
		struct arm *arm = &b->arms[i];

		if (arm->v.delay_ns > 0)
			arm->delay_achieved_ns =
				delay_achieved_ns(arm->v.delay_loops);
		for (unsigned int r = 0; r < b->cell.rounds; r++)
			if (!arm->ns[r])
				return "the clock stood still over a copy: "
				       "take a larger --huge";
	}
	return NULL;
}

const char *bench_verify(struct bench *b, const struct arm *arm)
{
	static char message[256];
	const struct variant *v = &arm->v;
	struct span span;
	size_t bytes = b->cell.folio * v->folios;
	int64_t wrong;

	/* Bytes around the last folio lie in the pool and in its guard. */
	b->next_pair = b->cell.pairs - v->folios;
	span = next_span(b, v);
	spoil(&b->dst, (size_t)(span.dst - b->dst.start), bytes);
	if (v->parallel)
		workers_ready(b->workers, &v->team);
	copy_span(v, b->workers, &span);
	if (v->parallel)
		workers_rest(b->workers, &v->team);
	wrong = first_wrong(&b->dst, &b->src,
			    (size_t)(span.dst - b->dst.start), bytes);
	if (wrong == NOTHING_WRONG)
		return NULL;
	snprintf(message, sizeof(message),
		 "%s: wrong copy at byte %" PRId64 " of %zu: not timed",
		 v->name, wrong, bytes);
	return message;
}

static const char *allocate_samples(struct bench *b)
{
	for (unsigned int i = 0; i < b->count; i++) {
		struct arm *arm = &b->arms[i];
		size_t rounds = b->cell.rounds;

		arm->ns = calloc(rounds, sizeof(uint64_t));
		arm->caller_cpu_ns = calloc(rounds, sizeof(uint64_t));
		arm->worker_cpu_ns = calloc(rounds * arm->v.team.threads,
					    sizeof(uint64_t));
		if (!arm->ns || !arm->caller_cpu_ns || !arm->worker_cpu_ns)
			return "not enough memory: take fewer --rounds";
	}
	return NULL;
}

static unsigned int most_threads(const struct bench *b)
{
	unsigned int most = 1;

	for (unsigned int i = 0; i < b->count; i++)
		if (b->arms[i].v.team.threads > most)
			most = b->arms[i].v.team.threads;
	return most;
}

static void calibrate_delays(struct bench *b)
{
	int calibrated = 0;

	for (unsigned int i = 0; i < b->count; i++) {
		struct variant *v = &b->arms[i].v;

		if (!(v->delay_ns > 0))
			continue;
		if (!calibrated++)
			delay_calibrate();
		v->delay_loops = delay_loops_for(v->delay_ns);
	}
}

const char *bench_open(struct bench *b)
{
	size_t bytes = b->cell.pairs * b->cell.folio;
	const char *wrong;

	wrong = pool_create(&b->src, bytes, b->cell.backing, b->cell.src_node);
	if (!wrong)
		wrong = pool_create(&b->dst, bytes, b->cell.backing,
				    b->cell.dst_node);
	if (!wrong)
		wrong = allocate_samples(b);
	if (wrong)
		return wrong;
	fill_unique(&b->src);
	if (pin_to_cpu(b->cell.cpus[0]))
		return "cannot pin to the first of --cpus";
	b->workers = workers_create(most_threads(b), b->cell.cpus,
				    b->cell.cpu_count);
	if (!b->workers)
		return "cannot make threads: see ulimit -u";
	calibrate_delays(b);
	return NULL;
}

void bench_close(struct bench *b)
{
	workers_destroy(b->workers);
	pool_destroy(&b->src);
	pool_destroy(&b->dst);
	for (unsigned int i = 0; i < b->count; i++) {
		free(b->arms[i].ns);
		free(b->arms[i].caller_cpu_ns);
		free(b->arms[i].worker_cpu_ns);
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

double median_ns(const uint64_t *samples, unsigned int count)
{
	uint64_t sorted[count];

	memcpy(sorted, samples, sizeof(sorted));
	qsort(sorted, count, sizeof(sorted[0]), by_value);
	return ((double)sorted[(count - 1) / 2] +
		(double)sorted[count / 2]) / 2;
}

double bench_overhead_ns(struct bench *b)
{
	enum { SAMPLES = 1001 };
	uint64_t ns[SAMPLES];
	struct variant empty;

	variant_parse(&empty, "serial:bulk:empty", b->cell.base,
		      b->cell.folio);
	for (unsigned int i = 0; i < SAMPLES; i++) {
		uint64_t unused = 0;

		ns[i] = take_sample(b, &empty, &unused).ns;
	}
	return median_ns(ns, SAMPLES);
}
