// SPDX-License-Identifier: MIT
/* Who suffers: the table, and the thread that works. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "caches.h"
#include "clock.h"
#include "victims.h"
#include "workers.h"

/* The table: victims/ has NAME_victim for each. */
#define VICTIMS(_) \
	_(integer) \
	_(l2)      \
	_(llc)     \
	_(lock)    \
	_(stream)  \
	_(timer)

#define DECLARED(name) extern const struct victim_kind name##_victim;
#define ENTRY(name)    &name##_victim,

VICTIMS(DECLARED)

const struct victim_kind *const victim_kinds[] = { VICTIMS(ENTRY) NULL };
#define KINDS (sizeof(victim_kinds) / sizeof(victim_kinds[0]))

const char victim_no_memory[] =
	"not enough memory for the victim: take another one";
const char victim_no_thread[] =
	"cannot make a thread for the victim: see ulimit -u and -v";

struct victim {
	const struct victim_kind *kind;
	void *state;
	pthread_t thread;
	_Atomic pid_t tid;
	_Atomic int quit;
	_Atomic uint64_t units;
};

const char *const *victim_words(int chases)
{
	static const char *words[2][KINDS];
	unsigned int count = 0;

	for (int i = 0; victim_kinds[i]; i++)
		if (!chases || victim_kinds[i]->chases)
			words[!!chases][count++] = victim_kinds[i]->name;
	return words[!!chases];
}

const struct victim_kind *victim_find(const char *name)
{
	for (int i = 0; victim_kinds[i]; i++)
		if (!strcmp(victim_kinds[i]->name, name))
			return victim_kinds[i];
	return NULL;
}

size_t victim_bytes(const struct victim_kind *kind)
{
	return kind && kind->bytes ? kind->bytes() : 0;
}

size_t half_of_l2(void)
{
	long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);

	return l2 > 0 ? (size_t)l2 / 2 : 256ul << 10;
}

size_t beyond_caches(void)
{
	size_t llc = last_level_cache();

	return llc > 16ul << 20 ? 4 * llc : 64ul << 20;
}

static void *victim_main(void *arg)
{
	struct victim *v = arg;

	atomic_store(&v->tid, (pid_t)syscall(SYS_gettid));
	while (!atomic_load_explicit(&v->quit, memory_order_relaxed)) {
		v->kind->do_unit(v->state);
		atomic_fetch_add_explicit(&v->units, 1, memory_order_relaxed);
	}
#ifdef PLANTED
	/* Planted to be caught: a victim that outlives its measurement. */
	while (getenv("PLANTED_LEAK"))
		integer_work();
#endif
	return NULL;
}

struct victim *victim_start(const struct victim_kind *kind, int cpu,
			    const char **wrong)
{
	struct victim *v = calloc(1, sizeof(*v));

	if (!v) {
		*wrong = victim_no_memory;
		return NULL;
	}
	v->kind = kind;
	*wrong = NULL;
	v->state = kind->open(kind, wrong);
	if (!*wrong && start_on_cpu(&v->thread, cpu, victim_main, v)) {
		kind->close(v->state);
		*wrong = victim_no_thread;
	}
	if (*wrong) {
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
	v->kind->close(v->state);
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
		if (sscanf(line, "nonvoluntary_ctxt_switches: %lu", &found) ==
		    1)
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
	};
	clockid_t clock;

	if (v->kind->waits)
		state.waits = atomic_load(&v->kind->waits(v->state)->count);
	if (!pthread_getcpuclockid(v->thread, &clock))
		state.cpu_ns = clock_ns(clock);
	return state;
}

void waits_add(struct waits *waits, uint64_t ns)
{
	size_t nth = atomic_load(&waits->count);

	waits->ns[nth % WAITS_KEPT] = ns < UINT32_MAX ? (uint32_t)ns :
							UINT32_MAX;
	atomic_store(&waits->count, nth + 1);
}

uint64_t victim_wait_ns(const struct victim *v, size_t nth)
{
	return v->kind->waits(v->state)->ns[nth % WAITS_KEPT];
}
