// SPDX-License-Identifier: MIT
/* Who helps: threads that copy parts, and the ways to get them going. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "workers.h"

enum command { NOTHING, RUN, SPIN, SLEEP, QUIT };

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	_Atomic enum command command;
	struct workers *pool;
	unsigned int part;
	int cpu;
	uint64_t cpu_ns;	/* of a spawned thread, when it ends */
};

struct workers {
	part_fn *fn;
	void *job;
	_Atomic unsigned int pending;
	pthread_mutex_t lock;
	pthread_cond_t all_done;
	unsigned int count;
	struct worker worker[];
};

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

int pin_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

static enum command next_command(struct worker *me, int spinning)
{
	if (spinning) {
		while (atomic_load(&me->command) == NOTHING)
			cpu_relax();
	} else {
		pthread_mutex_lock(&me->lock);
		while (atomic_load(&me->command) == NOTHING)
			pthread_cond_wait(&me->wake, &me->lock);
		pthread_mutex_unlock(&me->lock);
	}
	return atomic_exchange(&me->command, NOTHING);
}

static void report_done(struct workers *w)
{
	if (atomic_fetch_sub(&w->pending, 1) > 1)
		return;
	pthread_mutex_lock(&w->lock);
	pthread_cond_signal(&w->all_done);
	pthread_mutex_unlock(&w->lock);
}

/* A spinning team must not enter the kernel between two copies. */
static void report_done_spinning(struct workers *w)
{
	atomic_fetch_sub(&w->pending, 1);
}

static void *worker_main(void *arg)
{
	struct worker *me = arg;
	int spinning = 0;

	pin_to_cpu(me->cpu);
	for (;;) {
		enum command command = next_command(me, spinning);

		if (command == QUIT)
			return NULL;
		if (command == RUN)
			me->pool->fn(me->pool->job, me->part);
		if (spinning && command == RUN) {
			report_done_spinning(me->pool);
			continue;
		}
		spinning = command == SPIN;
		report_done(me->pool);
	}
}

/* Safe whether the worker sleeps or spins. */
static void tell(struct worker *worker, enum command command)
{
	pthread_mutex_lock(&worker->lock);
	atomic_store(&worker->command, command);
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

static void wait_all_done(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	while (atomic_load(&w->pending))
		pthread_cond_wait(&w->all_done, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

struct workers *workers_create(unsigned int count, const int *cpus,
			       unsigned int cpu_count)
{
	struct workers *w = calloc(1, sizeof(*w) + count * sizeof(w->worker[0]));

	if (!w)
		return NULL;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->all_done, NULL);
	for (unsigned int i = 0; i < count; i++) {
		struct worker *worker = &w->worker[i];

		worker->pool = w;
		worker->part = i;
		worker->cpu = cpus[i % cpu_count];
		pthread_mutex_init(&worker->lock, NULL);
		pthread_cond_init(&worker->wake, NULL);
		if (pthread_create(&worker->thread, NULL, worker_main, worker)) {
			workers_destroy(w);
			return NULL;
		}
		w->count++;
	}
	return w;
}

void workers_destroy(struct workers *w)
{
	for (unsigned int i = 0; i < w->count; i++) {
		tell(&w->worker[i], QUIT);
		pthread_join(w->worker[i].thread, NULL);
	}
	free(w);
}

static unsigned int first_part(const struct team *team)
{
	return team->caller_works ? 1 : 0;
}

static void tell_team(struct workers *w, const struct team *team,
		      enum command command)
{
	unsigned int first = first_part(team);

	atomic_store(&w->pending, team->threads - first);
	for (unsigned int i = first; i < team->threads; i++)
		tell(&w->worker[i], command);
	wait_all_done(w);
}

void workers_ready(struct workers *w, const struct team *team)
{
	/* A spawned thread's clock starts at 0; so must what it is read as. */
	if (team->dispatch == DISPATCH_SPAWN)
		for (unsigned int i = 0; i < team->threads; i++)
			w->worker[i].cpu_ns = 0;
	if (team->dispatch == DISPATCH_SPIN && team->threads > first_part(team))
		tell_team(w, team, SPIN);
}

void workers_rest(struct workers *w, const struct team *team)
{
	if (team->dispatch == DISPATCH_SPIN && team->threads > first_part(team))
		tell_team(w, team, SLEEP);
}

static void *spawned_main(void *arg)
{
	struct worker *me = arg;

	me->pool->fn(me->pool->job, me->part);
	me->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

/* Born on its own CPU: pinning itself, it would first queue on the caller's. */
static int spawn_on_own_cpu(pthread_t *thread, struct worker *worker)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int failed;

	CPU_ZERO(&set);
	CPU_SET(worker->cpu, &set);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	failed = pthread_create(thread, &attr, spawned_main, worker);
	pthread_attr_destroy(&attr);
	return failed;
}

static void run_spawned(struct workers *w, const struct team *team)
{
	unsigned int first = first_part(team), made = team->threads;
	pthread_t threads[team->threads];

	/* Downwards: part 0 may share the caller's CPU and take it over. */
	while (made > first &&
	       !spawn_on_own_cpu(&threads[made - 1], &w->worker[made - 1]))
		made--;
	/* Out of threads: what cannot be handed out is done here. */
	for (unsigned int i = first; i < made; i++)
		w->fn(w->job, i);
	if (team->caller_works)
		w->fn(w->job, 0);
	for (unsigned int i = made; i < team->threads; i++)
		pthread_join(threads[i], NULL);
}

static void run_pooled(struct workers *w, const struct team *team)
{
	unsigned int first = first_part(team);
	int spin = team->dispatch == DISPATCH_SPIN;

	atomic_store(&w->pending, team->threads - first);
	/* Downwards: part 0 may share the caller's CPU and take it over. */
	for (unsigned int i = team->threads; i-- > first;) {
		if (spin)
			atomic_store(&w->worker[i].command, RUN);
		else
			tell(&w->worker[i], RUN);
	}
	if (team->caller_works)
		w->fn(w->job, 0);
	if (!spin) {
		wait_all_done(w);
		return;
	}
	while (atomic_load(&w->pending))
		cpu_relax();
}

void workers_run(struct workers *w, const struct team *team,
		 part_fn *fn, void *job)
{
	w->fn = fn;
	w->job = job;
	if (team->dispatch == DISPATCH_SPAWN)
		run_spawned(w, team);
	else
		run_pooled(w, team);
}

uint64_t workers_cpu_ns(struct workers *w, const struct team *team,
			unsigned int part)
{
	struct worker *worker = &w->worker[part];
	clockid_t clock;

	if (team->dispatch == DISPATCH_SPAWN)
		return worker->cpu_ns;
	if (pthread_getcpuclockid(worker->thread, &clock))
		return 0;
	return clock_ns(clock);
}
