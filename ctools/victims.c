// SPDX-License-Identifier: MIT
/* Who suffers: unrelated work, and background load. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "buffers.h"
#include "clock.h"
#include "idle.h"
#include "victims.h"

#define LINE		64
#define UNIT_STEPS	4096	/* of integer work */
#define UNIT_LOADS	512	/* of a chase: some us */
#define UNIT_STREAM	(64ul << 10)
#define TIMER_NS	1000000u
#define MOST_WAKEUPS	(1u << 20)

const char *const victim_names[] = {
	[VICTIM_NONE] = "none", [VICTIM_INTEGER] = "integer",
	[VICTIM_L2] = "l2", [VICTIM_LLC] = "llc", [VICTIM_STREAM] = "stream",
	[VICTIM_TIMER] = "timer", NULL
};

struct ring {
	struct pool pool;
	void **at;
};

struct victim {
	enum victim_kind kind;
	pthread_t thread;
	_Atomic pid_t tid;
	_Atomic int quit;
	_Atomic uint64_t units;
	struct ring *ring;
	struct pool pool;		/* of the stream */
	_Atomic size_t wakeups;
	uint32_t *late;
};

static uint64_t random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* Keeps a result alive that nobody reads. */
static inline void keep(uint64_t value)
{
	__asm__ volatile("" : : "r"(value));
}

static void integer_work(unsigned int steps)
{
	uint64_t value = steps;

	for (unsigned int i = 0; i < steps; i++)
		value = value * 6364136223846793005u + 1442695040888963407u;
	keep(value);
}

struct ring *ring_create(size_t bytes)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	size_t lines = bytes / LINE;
	uint64_t seed = 1;
	char **order;

	if (!ring)
		return NULL;
	if (pool_create(&ring->pool, bytes, BACKING_AUTO, -1)) {
		free(ring);
		return NULL;
	}
	order = calloc(lines, sizeof(*order));
	if (!order) {
		ring_destroy(ring);
		return NULL;
	}
	for (size_t i = 0; i < lines; i++)
		order[i] = ring->pool.start + i * LINE;
	for (size_t i = lines; i > 1; i--) {
		size_t j = random_next(&seed) % i;
		char *swap = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swap;
	}
	for (size_t i = 0; i < lines; i++)
		*(void **)order[i] = order[(i + 1) % lines];
	ring->at = (void **)order[0];
	free(order);
	return ring;
}

void ring_destroy(struct ring *ring)
{
	if (!ring)
		return;
	pool_destroy(&ring->pool);
	free(ring);
}

size_t ring_lines(const struct ring *ring)
{
	return ring->pool.bytes / LINE;
}

void ring_walk(struct ring *ring, size_t steps)
{
	void **at = ring->at;

	while (steps--)
		at = *at;
	keep((uintptr_t)at);
	ring->at = at;
}

size_t victim_bytes(enum victim_kind kind)
{
	long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
	size_t llc = last_level_cache();

	switch (kind) {
	case VICTIM_L2:
		return l2 > 0 ? (size_t)l2 / 2 : 256ul << 10;
	case VICTIM_LLC:
		/* Clear of the L2, and small enough to go round often. */
		return llc / 16 > 4 * victim_bytes(VICTIM_L2) ? llc / 16 :
			4 * victim_bytes(VICTIM_L2);
	case VICTIM_STREAM:
		return llc > 16ul << 20 ? 4 * llc : 64ul << 20;
	default:
		return 0;
	}
}

static void stream_unit(struct victim *v, size_t *at)
{
	const uint64_t *word = (const uint64_t *)(v->pool.start + *at);
	uint64_t sum = 0;

	for (size_t i = 0; i < UNIT_STREAM / 8; i += 4)
		sum += word[i] + word[i + 1] + word[i + 2] + word[i + 3];
	keep(sum);
	*at += UNIT_STREAM;
	if (*at + UNIT_STREAM > v->pool.bytes)
		*at = 0;
}

static void add_ns(struct timespec *ts, uint64_t ns)
{
	uint64_t whole = (uint64_t)ts->tv_nsec + ns;

	ts->tv_sec += (time_t)(whole / 1000000000u);
	ts->tv_nsec = (long)(whole % 1000000000u);
}

static void sleep_until(const struct timespec *when)
{
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, when, NULL) ==
	       EINTR)
		;
}

static void timer_unit(struct victim *v, struct timespec *next)
{
	uint64_t due, now;
	size_t nth = atomic_load(&v->wakeups);

	add_ns(next, TIMER_NS);
	sleep_until(next);
	now = now_ns();
	due = (uint64_t)next->tv_sec * 1000000000u + (uint64_t)next->tv_nsec;
	v->late[nth % MOST_WAKEUPS] = now - due < UINT32_MAX ?
		(uint32_t)(now - due) : UINT32_MAX;
	atomic_store(&v->wakeups, nth + 1);
	/* After a long wait the missed ones are not made up for. */
	if (now - due > TIMER_NS)
		add_ns(next, (now - due) / TIMER_NS * TIMER_NS);
}

static void *victim_main(void *arg)
{
	struct victim *v = arg;
	struct timespec next;
	size_t at = 0;

	clock_gettime(CLOCK_MONOTONIC, &next);
	atomic_store(&v->tid, (pid_t)syscall(SYS_gettid));
	while (!atomic_load_explicit(&v->quit, memory_order_relaxed)) {
		switch (v->kind) {
		case VICTIM_NONE:
		case VICTIM_INTEGER:
			integer_work(UNIT_STEPS);
			break;
		case VICTIM_L2:
		case VICTIM_LLC:
			ring_walk(v->ring, UNIT_LOADS);
			break;
		case VICTIM_STREAM:
			stream_unit(v, &at);
			break;
		case VICTIM_TIMER:
			timer_unit(v, &next);
			break;
		}
		atomic_fetch_add_explicit(&v->units, 1, memory_order_relaxed);
	}
#ifdef PLANTED
	/* Planted to be caught: a victim that outlives its measurement. */
	while (getenv("PLANTED_LEAK"))
		integer_work(UNIT_STEPS);
#endif
	return NULL;
}

static int start_on(pthread_t *thread, int cpu, void *(*main)(void *),
		    void *arg)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int failed;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	failed = pthread_create(thread, &attr, main, arg);
	pthread_attr_destroy(&attr);
	return failed;
}

static const char *prepare(struct victim *v)
{
	size_t bytes = victim_bytes(v->kind);

	if (v->kind == VICTIM_L2 || v->kind == VICTIM_LLC) {
		v->ring = ring_create(bytes);
		return v->ring ? NULL : "not enough memory for the victim";
	}
	if (v->kind == VICTIM_STREAM)
		return pool_create(&v->pool, bytes, BACKING_AUTO, -1);
	v->late = calloc(MOST_WAKEUPS, sizeof(*v->late));
	return v->late ? NULL : "not enough memory for the victim";
}

struct victim *victim_start(enum victim_kind kind, int cpu, const char **wrong)
{
	struct victim *v = calloc(1, sizeof(*v));

	if (!v) {
		*wrong = "not enough memory for the victim";
		return NULL;
	}
	v->kind = kind;
	*wrong = prepare(v);
	if (!*wrong && start_on(&v->thread, cpu, victim_main, v))
		*wrong = "cannot make a thread for the victim: see ulimit -u and -v";
	if (*wrong) {
		ring_destroy(v->ring);
		free(v->late);
		free(v);
		return NULL;
	}
	while (!atomic_load(&v->tid))
		sched_yield();
	return v;
}

void victim_stop(struct victim *v)
{
	if (!v)
		return;
	atomic_store(&v->quit, 1);
#ifdef PLANTED
	if (getenv("PLANTED_LEAK")) {
		pthread_detach(v->thread);
		return;
	}
#endif
	pthread_join(v->thread, NULL);
	ring_destroy(v->ring);
	if (v->kind == VICTIM_STREAM)
		pool_destroy(&v->pool);
	free(v->late);
	free(v);
}

static uint64_t involuntary_switches(pid_t tid)
{
	char path[64], line[128];
	unsigned long found = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
	status = fopen(path, "r");
	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "nonvoluntary_ctxt_switches: %lu",
			   &found) == 1)
			break;
	if (status)
		fclose(status);
	return found;
}

struct victim_state victim_read(struct victim *v)
{
	struct victim_state state = {
		.units = atomic_load_explicit(&v->units, memory_order_relaxed),
		.switches = involuntary_switches(v->tid),
		.wakeups = atomic_load(&v->wakeups),
	};
	clockid_t clock;

	if (!pthread_getcpuclockid(v->thread, &clock))
		state.cpu_ns = clock_ns(clock);
	return state;
}

uint64_t victim_lateness(const struct victim *v, size_t nth)
{
	return v->late[nth % MOST_WAKEUPS];
}

/* Background load. */

#define BURST_NS	1000000u	/* and up to twice that more */

struct loader {
	pthread_t thread;
	struct load *load;
	unsigned int percent;	/* of one CPU */
	unsigned int slot;
	_Atomic int begun;
};

struct load {
	_Atomic int quit;
	unsigned int count;
	struct loader loader[];
};

static void burst(const struct loader *me, uint64_t ns)
{
	uint64_t until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (!atomic_load(&me->load->quit) &&
	       clock_ns(CLOCK_THREAD_CPUTIME_ID) < until)
		integer_work(UNIT_STEPS);
}

static void rest(const struct loader *me, uint64_t ns)
{
	struct timespec span = {};

	idle_publish(me->slot, -1);
	add_ns(&span, ns);
	nanosleep(&span, NULL);
	idle_publish(me->slot, 1);
}

static void *load_main(void *arg)
{
	struct loader *me = arg;
	uint64_t seed = me->slot + 1;

	idle_publish(me->slot, 1);
	atomic_store(&me->begun, 1);
	while (!atomic_load(&me->load->quit)) {
		uint64_t ns = BURST_NS + random_next(&seed) % (2 * BURST_NS);

		burst(me, ns);
		if (me->percent < 100)
			rest(me, ns * (100 - me->percent) / me->percent);
	}
	idle_publish(me->slot, -1);
	return NULL;
}

struct load *load_start(unsigned int percent, const int *cpus,
			unsigned int cpu_count)
{
	unsigned int each = (percent + 99) / 100;
	struct load *load = calloc(1, sizeof(*load) + (size_t)each * cpu_count *
				   sizeof(load->loader[0]));

	if (!percent || !load) {
		free(load);
		return NULL;
	}
	for (unsigned int i = 0; i < each * cpu_count; i++) {
		struct loader *loader = &load->loader[i];
		unsigned int done = i / cpu_count * 100;

		loader->load = load;
		loader->slot = i % cpu_count;
		loader->percent = percent - done < 100 ? percent - done : 100;
		if (start_on(&loader->thread, cpus[loader->slot], load_main,
			     loader)) {
			load_stop(load);
			return NULL;
		}
		load->count++;
		while (!atomic_load(&loader->begun))
			sched_yield();
	}
	return load;
}

void load_stop(struct load *load)
{
	if (!load)
		return;
	atomic_store(&load->quit, 1);
	for (unsigned int i = 0; i < load->count; i++)
		pthread_join(load->loader[i].thread, NULL);
	free(load);
}
