// SPDX-License-Identifier: MIT
/*
 * The round: every arm of a cell once, in random order, each on the next
 * folios of the pools. Comparing arms of the same round is what makes a
 * ratio hold still on a machine that does not.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "clock.h"
#include "limit.h"
#include "samples.h"

const char *const channel_names[CHANNELS] = {
	[CHANNEL_WINDOW] = "window", [CHANNEL_COPY] = "copy",
	[CHANNEL_WAKEUP] = "wakeup", [CHANNEL_VICTIM_CPU] = "victim cpu",
	[CHANNEL_LATENCY] = "latency", [CHANNEL_PASS] = "pass",
	[CHANNEL_ALLOCATED] = "allocated", [CHANNEL_QUEUED] = "queued",
	[CHANNEL_FIRST_START] = "first start", [CHANNEL_LAST_START] = "last start",
	[CHANNEL_LAST_END] = "last end", [CHANNEL_JOINED] = "joined",
	[CHANNEL_WAIT] = "wait",
};

const char *const fact_names[FACTS] = {
	[FACT_SWITCHES] = "victim_switches", [FACT_ENERGY] = "energy_uj",
	[FACT_SCANNED] = "scanned", [FACT_FOUND_IDLE] = "found_idle",
	[FACT_STALE] = "stale", [FACT_TAKEN_BACK] = "taken_back",
};

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

static struct sample take_sample(struct bench *b, struct arm *arm)
{
	if (b->cell.victim)
		return take_window(b, arm);
	if (b->cell.recover)
		return take_recovery(b, arm);
	if (arm->v.strategy == STRATEGY_SCAN)
		return take_scan(b, arm);
	if (arm->v.migrators > 1)
		return take_crowd(b, arm);
	return take_copy(b, arm);
}

/* Not always as long: a sleep in step with the clock tick meets it always. */
static void pause_before(const struct bench *b, uint64_t *state)
{
	uint64_t ns = b->cell.pause_us * 1000ull;
	struct timespec span;

	if (!ns)
		return;
	ns += random_next(state) % ns;
	span.tv_sec = (time_t)(ns / 1000000000u);
	span.tv_nsec = (long)(ns % 1000000000u);
	nanosleep(&span, NULL);
}

static void run_round(struct bench *b, unsigned int *order, uint64_t *state,
		      unsigned int round)
{
	shuffle(order, b->count, state);
	for (unsigned int slot = 0; slot < b->count; slot++) {
		struct arm *arm = &b->arms[order[slot]];
		struct sample sample;

		pause_before(b, state);
		sample = take_sample(b, arm);
		arm->ns[round] = sample.ns;
		arm->caller_cpu_ns[round] = sample.caller_cpu_ns;
		arm->worker_cpu_ns[round] = sample.worker_cpu_ns;
	}
}

static void forget(struct arm *arm)
{
	for (int i = 0; i < CHANNELS; i++)
		arm->channel[i].count = 0;
	for (int i = 0; i < FACTS; i++)
		arm->fact[i] = -1;
}

const char *bench_run(struct bench *b)
{
	unsigned int order[b->count];
	uint64_t state = b->cell.seed;

	for (unsigned int i = 0; i < b->count; i++)
		order[i] = i;
	/* Once unmeasured; what it writes, the first round overwrites. */
	run_round(b, order, &state, 0);
	for (unsigned int i = 0; i < b->count; i++)
		forget(&b->arms[i]);
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
		snprintf(message, sizeof(message), "%s: wrong copy at byte %"
			 PRId64 " of %zu%s", v->name, wrong, r->bytes,
			 v->defects ? "" : ": not timed");
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
	       strcmp(v->primitive->name, "empty");
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

static const char *allocate_samples(struct bench *b)
{
	for (unsigned int i = 0; i < b->count; i++) {
		struct arm *arm = &b->arms[i];
		size_t rounds = b->cell.rounds;

		arm->ns = calloc(rounds, sizeof(uint64_t));
		arm->caller_cpu_ns = calloc(rounds, sizeof(uint64_t));
		arm->worker_cpu_ns = calloc(rounds, sizeof(uint64_t));
		if (!arm->ns || !arm->caller_cpu_ns || !arm->worker_cpu_ns)
			return "not enough memory: take fewer --rounds";
	}
	return NULL;
}

/* The workers of one kind that the arms need at the same time. */
static unsigned int workers_needed(const struct bench *b,
				   enum priority priority, int unbound)
{
	unsigned int most = 0;

	for (unsigned int i = 0; i < b->count; i++) {
		const struct variant *v = &b->arms[i].v;
		unsigned int need = v->team.threads;

		if (v->strategy == STRATEGY_SCAN)
			need = v->scan == SCAN_WRITTEN ? 2 : 0;
		else if (v->strategy != STRATEGY_PARALLEL)
			continue;
		else if (v->team.unbound)
			/* Each work has its own worker, as on such a queue. */
			need *= v->migrators;
		else if (v->migrators > 1 || v->pick == PICK_IDLE)
			need = b->cell.cpu_count > need ? b->cell.cpu_count :
							  need;
		if (v->team.priority == priority &&
		    v->team.unbound == unbound && need > most)
			most = need;
	}
	return most;
}

static const char *create_workers(struct bench *b)
{
	for (int priority = 0; priority < PRIORITIES; priority++)
		for (int unbound = 0; unbound < 2; unbound++) {
			unsigned int need = workers_needed(
				b, (enum priority)priority, unbound);

			if (!need)
				continue;
			b->workers[priority][unbound] = workers_create(
				need, (enum priority)priority, unbound,
				b->cell.cpus, b->cell.cpu_count);
			if (!b->workers[priority][unbound])
				return "cannot make threads: see ulimit -u and -v";
		}
	return NULL;
}

static const char *create_migrators(struct bench *b)
{
	unsigned int most = 1;

	for (unsigned int i = 0; i < b->count; i++)
		if (b->arms[i].v.migrators > most)
			most = b->arms[i].v.migrators;
	if (most == 1)
		return NULL;
	b->migrators = migrators_create(most, b->cell.cpus, b->cell.cpu_count);
	return b->migrators ? NULL : "cannot make threads: see ulimit -u and -v";
}

static double load_ns(size_t bytes)
{
	struct ring *ring = ring_create(bytes);
	size_t steps = 1 << 15;
	uint64_t start;
	double ns;

	if (!ring)
		return 0;
	if (steps > ring_lines(ring))
		steps = ring_lines(ring);
	/* Twice round what is small; of what is large no part is warm. */
	ring_walk(ring, 2 * steps);
	start = now_ns();
	ring_walk(ring, steps);
	ns = (double)(now_ns() - start) / (double)steps;
	ring_destroy(ring);
	return ns;
}

/* Is the last-level cache one for us? A virtual machine's may not be. */
static void measure_residence(struct bench *b)
{
	b->llc_load_ns = load_ns(victim_bytes(VICTIM_LLC));
	b->memory_load_ns = load_ns(victim_bytes(VICTIM_STREAM));
}

/* Victims run where the first worker does, which is where it hurts. */
static const char *create_victims(struct bench *b)
{
	const char *wrong = NULL;

	if (b->cell.victim)
		b->victim = victim_start(b->cell.victim,
					 b->cell.cpus[b->cell.cpu_count > 1],
					 &wrong);
	if (wrong)
		return wrong;
	if (b->cell.victim == VICTIM_LLC || b->cell.recover == VICTIM_LLC)
		measure_residence(b);
	if (b->cell.recover) {
		b->ring = ring_create(victim_bytes(b->cell.recover));
		if (!b->ring)
			return "not enough memory for the victim";
	}
	b->load = load_start(b->cell.load_percent, b->cell.cpus,
			     b->cell.cpu_count);
	return b->cell.load_percent && !b->load ?
		"cannot make threads: see ulimit -u and -v" : NULL;
}

static unsigned int threads_now(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned int count = 0;

	while (tasks && readdir(tasks))
		count++;
	if (tasks)
		closedir(tasks);
	return count;
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

	/* First: memory comes from the node of the CPU that touches it. */
	if (pin_to_cpu(b->cell.cpus[0]))
		return "cannot pin to the first of --cpus";
	wrong = pool_create(&b->src, bytes, b->cell.backing, b->cell.src_node);
	if (!wrong)
		wrong = pool_create(&b->dst, bytes, b->cell.backing,
				    b->cell.dst_node);
	if (!wrong)
		wrong = allocate_samples(b);
	if (wrong)
		return wrong;
	fill_unique(&b->src);
	/* A sanitizer starts a thread of its own along with the first. */
	priority_allowed(PRIORITY_NORMAL);
	b->threads_before = threads_now();
	wrong = create_workers(b);
	if (!wrong)
		wrong = create_migrators(b);
	if (!wrong)
		wrong = create_victims(b);
	if (wrong)
		return wrong;
	calibrate_delays(b);
	/* Last: the workers are to stay outside. */
	return b->cell.limit_percent ? limit_begin(b->cell.limit_percent) :
				       NULL;
}

/* A joined thread may be listed for a moment more. */
static int somebody_stayed(const struct bench *b)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (int i = 0; i < 1000; i++) {
		if (threads_now() <= b->threads_before)
			return 0;
		nanosleep(&moment, NULL);
	}
	return 1;
}

const char *bench_close(struct bench *b)
{
	limit_end();
	for (int priority = 0; priority < PRIORITIES; priority++)
		for (int unbound = 0; unbound < 2; unbound++)
			workers_destroy(b->workers[priority][unbound]);
	migrators_destroy(b->migrators);
	victim_stop(b->victim);
	ring_destroy(b->ring);
	load_stop(b->load);
	if (somebody_stayed(b))
		return "a thread has outlived its measurement: the next one "
		       "would suffer from it";
	pool_destroy(&b->src);
	pool_destroy(&b->dst);
	for (unsigned int i = 0; i < b->count; i++) {
		free(b->arms[i].ns);
		free(b->arms[i].caller_cpu_ns);
		free(b->arms[i].worker_cpu_ns);
		for (int c = 0; c < CHANNELS; c++)
			free(b->arms[i].channel[c].at);
	}
	return NULL;
}

double bench_overhead_ns(struct bench *b)
{
	enum { SAMPLES = 1001 };
	uint64_t ns[SAMPLES];
	const struct limits limits = { b->cell.base, b->cell.folio, 1 };
	struct arm empty = {};

	variant_parse(&empty.v, "serial:bulk:empty");
	variant_resolve(&empty.v, &limits);
	for (unsigned int i = 0; i < SAMPLES; i++)
		ns[i] = take_copy(b, &empty).ns;
	return median_ns(ns, SAMPLES);
}
