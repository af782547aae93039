// SPDX-License-Identifier: MIT
/*
 * The round: every arm of a cell once, in random order, each on the next
 * folios of the pools. Comparing arms of the same round is what makes a
 * ratio hold still on a machine that does not.
 */
#include <dirent.h>
#include <stdlib.h>

#include "bench.h"
#include "clock.h"
#include "limit.h"
#include "numbers.h"
#include "probe.h"
#include "random.h"
#include "ring.h"

const char *const channel_names[CHANNELS + 1] = {
	[CHANNEL_WINDOW] = "window",
	[CHANNEL_COPY] = "copy",
	[CHANNEL_WAKEUP] = "wakeup",
	[CHANNEL_VICTIM_CPU] = "victim cpu",
	[CHANNEL_LATENCY] = "latency",
	[CHANNEL_PASS] = "pass",
	[CHANNEL_ALLOCATED] = "allocated",
	[CHANNEL_QUEUED] = "queued",
	[CHANNEL_FIRST_START] = "first start",
	[CHANNEL_LAST_START] = "last start",
	[CHANNEL_LAST_END] = "last end",
	[CHANNEL_JOINED] = "joined",
	[CHANNEL_WAIT] = "wait",
	[CHANNEL_LOAD_WORK] = "load work",
};

const char *const fact_names[FACTS + 1] = {
	[FACT_SWITCHES] = "victim_switches",
	[FACT_ENERGY] = "energy_uj",
	[FACT_SCANNED] = "scanned",
	[FACT_FOUND_IDLE] = "found_idle",
	[FACT_STALE] = "stale",
	[FACT_TAKEN_BACK] = "taken_back",
	[FACT_PARTS] = "parts",
	[FACT_DRAINED] = "drained",
};

const char *const phase_names[PHASES + 1] = {
	[PHASE_POOLS] = "pools",   [PHASE_START] = "start",
	[PHASE_VERIFY] = "verify", [PHASE_SAMPLES] = "samples",
	[PHASE_PAUSES] = "pauses", [PHASE_REST] = "rest",
	[PHASE_END] = "end",
};

static void phases_start(struct bench *b)
{
	b->phase = PHASE_START;
	b->phase_since = now_ns();
}

void phase_begin(struct bench *b, enum phase phase)
{
	uint64_t now = now_ns();

	b->phase_ns[b->phase] += now - b->phase_since;
	b->phase = phase;
	b->phase_since = now;
}

/* Not always as long: a sleep in step with the clock tick meets it always. */
static void pause_before(const struct bench *b, uint64_t *state)
{
	uint64_t ns = b->cell.pause_us * 1000ull;

	if (ns && !b->rehearses)
		sleep_ns(ns + random_next(state) % ns);
}

static void run_round(struct bench *b, unsigned int *order, uint64_t *state,
		      unsigned int round)
{
	shuffle(order, b->count, random_next, state);
	for (unsigned int slot = 0; slot < b->count; slot++) {
		struct arm *arm = &b->arms[order[slot]];
		struct sample sample;

		stamps_renew(b);
		phase_begin(b, PHASE_PAUSES);
		pause_before(b, state);
		phase_begin(b, PHASE_REST);
		/* Which says itself where its preparations end. */
		sample = arm->probe->take(b, arm);
		phase_begin(b, PHASE_REST);
		arm->ns[round] = sample.ns;
		arm->caller_cpu_ns[round] = sample.caller_cpu_ns;
		arm->worker_cpu_ns[round] = sample.worker_cpu_ns;
	}
}

static void forget_samples(struct arm *arm)
{
	for (int i = 0; i < CHANNELS; i++)
		arm->channel[i].count = 0;
	for (int i = 0; i < FACTS; i++)
		arm->fact[i] = -1;
}

/* There is one such round however many are measured: a cost of the start. */
static void forget_round(struct bench *b)
{
	for (unsigned int i = 0; i < b->count; i++)
		forget_samples(&b->arms[i]);
	for (int i = PHASE_SAMPLES; i <= PHASE_REST; i++) {
		b->phase_ns[PHASE_START] += b->phase_ns[i];
		b->phase_ns[i] = 0;
	}
}

/* Median time of a copy of nothing: whatever the caches hold. */
static double overhead_ns(struct bench *b)
{
	enum { SAMPLES = 1001 };
	uint64_t ns[SAMPLES];
	const struct limits limits = { b->cell.base, b->cell.folio, 1 };
	struct arm empty = {};
	struct span span;

	variant_parse(&empty.v, "serial:bulk:empty");
	variant_resolve(&empty.v, &limits);
	span = next_span(b, &empty.v);
	for (unsigned int i = 0; i < SAMPLES; i++)
		ns[i] = time_copy(b, &empty, &span).ns;
	return median(ns, SAMPLES);
}

const char *bench_run(struct bench *b)
{
	unsigned int order[b->count];
	uint64_t state = b->cell.seed;

	for (unsigned int i = 0; i < b->count; i++)
		order[i] = i;
	/* Once unmeasured; what it writes, the first round overwrites. */
	b->rehearses = 1;
	run_round(b, order, &state, 0);
	b->rehearses = 0;
	forget_round(b);
	for (unsigned int round = 0; round < b->cell.rounds; round++)
		run_round(b, order, &state, round);
	phase_begin(b, PHASE_END);
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
	b->overhead_ns = overhead_ns(b);
	return NULL;
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
		const struct arm *arm = &b->arms[i];
		const struct team *team = &arm->v.team;
		unsigned int need = arm->probe->workers(&b->cell, &arm->v);

		if (team->priority == priority && team->unbound == unbound &&
		    need > most)
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

/* Is the cache one for us alone? A virtual machine's may not be. */
static void measure_residence(struct bench *b)
{
	const struct victim_kind *kind = victim_of(&b->cell);

	if (!kind || !kind->beyond)
		return;
	b->llc_load_ns = ring_load_ns(victim_bytes(kind));
	b->memory_load_ns = ring_load_ns(kind->beyond());
}

static const char *start_load(struct bench *b)
{
	b->load = load_start(b->cell.load_percent, b->cell.cpus,
			     b->cell.cpu_count);
	return b->cell.load_percent && !b->load ?
		"cannot make threads: see ulimit -u and -v" :
		NULL;
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

static const char *make_pool(struct pool *pool, const struct cell *c, int node)
{
	switch (pool_create(pool, c->pairs * c->folio, c->backing, node)) {
	case POOL_IS_THERE:
		break;
	case POOL_NO_MEMORY:
		return "not enough memory: take fewer --pairs or a smaller "
		       "--huge";
	case POOL_NO_NODE:
		return "cannot place memory on that NUMA node: "
		       "see /sys/devices/system/node/has_memory";
	case POOL_NOT_HUGE:
		return "no huge pages behind the buffers: set "
		       "/sys/kernel/mm/transparent_hugepage/enabled to madvise, "
		       "or take --backing=auto";
	}
	return NULL;
}

const char *bench_open(struct bench *b)
{
	const char *wrong;

	phases_start(b);
	/* First: memory comes from the node of the CPU that touches it. */
	if (pin_to_cpu(b->cell.cpus[0]))
		return "cannot run on the first of the CPUs: give others "
		       "with --cpus";
	/* Before the pools, which take over its memory, and any victim. */
	measure_residence(b);
	phase_begin(b, PHASE_POOLS);
	wrong = make_pool(&b->src, &b->cell, b->cell.src_node);
	if (!wrong)
		wrong = make_pool(&b->dst, &b->cell, b->cell.dst_node);
	if (!wrong)
		wrong = allocate_samples(b);
	if (!wrong)
		wrong = stamps_open(b);
	if (wrong)
		return wrong;
	fill_unique(&b->src);
	phase_begin(b, PHASE_START);
	/* A sanitizer starts a thread of its own along with the first. */
	priority_allowed(PRIORITY_NORMAL);
	b->threads_before = threads_now();
	wrong = create_workers(b);
	if (!wrong)
		wrong = probes_open(b);
	if (wrong)
		return wrong;
	calibrate_delays(b);
	return NULL;
}

const char *bench_burden(struct bench *b)
{
	const char *wrong;

	phase_begin(b, PHASE_START);
	wrong = start_load(b);
	if (wrong || !b->cell.limit_percent)
		return wrong;
	return limit_begin(b->cell.limit_percent);
}

/* A joined thread may be listed for a moment more. */
static int somebody_stayed(const struct bench *b)
{
	for (int i = 0; i < 1000; i++) {
		if (threads_now() <= b->threads_before)
			return 0;
		sleep_ns(1000000);
	}
	return 1;
}

const char *bench_stop(struct bench *b)
{
	limit_end();
	for (int priority = 0; priority < PRIORITIES; priority++)
		for (int unbound = 0; unbound < 2; unbound++)
			workers_destroy(b->workers[priority][unbound]);
	probes_close(b);
	load_stop(b->load);
	if (somebody_stayed(b))
		return "a thread has outlived its measurement: the next one "
		       "would suffer from it";
	return NULL;
}

void bench_close(struct bench *b)
{
	pool_destroy(&b->src);
	pool_destroy(&b->dst);
	free(b->copied);
	phase_begin(b, PHASE_END);
}

void bench_free(struct bench *b)
{
	for (unsigned int i = 0; i < b->count; i++) {
		free(b->arms[i].ns);
		free(b->arms[i].caller_cpu_ns);
		free(b->arms[i].worker_cpu_ns);
		for (int c = 0; c < CHANNELS; c++)
			free(b->arms[i].channel[c].at);
	}
}
