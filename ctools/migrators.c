// SPDX-License-Identifier: MIT
/* Several migrators at once. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "migrators.h"

struct task {
	const struct variant *v;
	struct workers *workers;
	const struct span *spans;
	uint64_t *latency_ns;
	_Atomic unsigned int arrived;
	unsigned int crowd;
};

struct migrator {
	pthread_t thread;
	struct migrators *all;
	unsigned int nth;
	int cpu;
	uint64_t start, end, cpu_ns;
};

struct migrators {
	pthread_mutex_t lock;
	pthread_cond_t begin, done;
	unsigned int generation, running;
	int quit;
	struct task task;
	unsigned int count, cpu_count;
	struct migrator migrator[];
};

/*
 * All start at once: by spinning, as a sleeper would start late by its wake-up;
 * but with more of them than CPUs somebody must make room.
 */
static void meet(struct task *task, int enough_cpus)
{
	atomic_fetch_add(&task->arrived, 1);
	while (atomic_load(&task->arrived) < task->crowd)
		if (enough_cpus)
			cpu_relax();
		else
			sched_yield();
}

static void copy_all(struct migrator *me)
{
	struct task *task = &me->all->task;
	size_t first = (size_t)me->nth * MIGRATOR_COPIES;

	meet(task, task->crowd <= me->all->cpu_count);
	me->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	me->start = me->end = now_ns();
	for (unsigned int i = 0; i < MIGRATOR_COPIES; i++) {
		struct observed unused = {};
		uint64_t before = me->end;

		copy_span(task->v, task->workers, me->nth,
			  &task->spans[first + i], &unused);
		me->end = now_ns();
		task->latency_ns[first + i] = me->end - before;
	}
	me->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - me->cpu_ns;
}

static void *migrator_main(void *arg)
{
	struct migrator *me = arg;
	struct migrators *m = me->all;
	unsigned int seen = 0;

	pin_to_cpu(me->cpu);
	pthread_mutex_lock(&m->lock);
	for (;;) {
		while (m->generation == seen && !m->quit)
			pthread_cond_wait(&m->begin, &m->lock);
		if (m->quit)
			break;
		seen = m->generation;
		if (me->nth >= m->task.crowd)
			continue;
		pthread_mutex_unlock(&m->lock);
		copy_all(me);
		pthread_mutex_lock(&m->lock);
		if (--m->running == 0)
			pthread_cond_signal(&m->done);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

struct migrators *migrators_create(unsigned int count, const int *cpus,
				   unsigned int cpu_count)
{
	struct migrators *m =
		calloc(1, sizeof(*m) + count * sizeof(m->migrator[0]));

	if (!m)
		return NULL;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->begin, NULL);
	pthread_cond_init(&m->done, NULL);
	m->cpu_count = cpu_count;
	m->count = 1;
	for (unsigned int i = 0; i < count; i++) {
		struct migrator *migrator = &m->migrator[i];

		migrator->all = m;
		migrator->nth = i;
		migrator->cpu = cpus[i % cpu_count];
		if (!i)
			continue;
		if (pthread_create(&migrator->thread, NULL, migrator_main,
				   migrator)) {
			migrators_destroy(m);
			return NULL;
		}
		m->count++;
	}
	return m;
}

void migrators_destroy(struct migrators *m)
{
	if (!m)
		return;
	pthread_mutex_lock(&m->lock);
	m->quit = 1;
	pthread_cond_broadcast(&m->begin);
	pthread_mutex_unlock(&m->lock);
	for (unsigned int i = 1; i < m->count; i++)
		pthread_join(m->migrator[i].thread, NULL);
	free(m);
}

uint64_t migrators_run(struct migrators *m, const struct variant *v,
		       struct workers *w, const struct span *spans,
		       uint64_t *latency_ns)
{
	uint64_t start = UINT64_MAX, end = 0;

	pthread_mutex_lock(&m->lock);
	m->task.v = v;
	m->task.workers = w;
	m->task.spans = spans;
	m->task.latency_ns = latency_ns;
	m->task.crowd = v->migrators;
	atomic_store(&m->task.arrived, 0);
	m->running = v->migrators - 1;
	m->generation++;
	pthread_cond_broadcast(&m->begin);
	pthread_mutex_unlock(&m->lock);
	copy_all(&m->migrator[0]);
	pthread_mutex_lock(&m->lock);
	while (m->running)
		pthread_cond_wait(&m->done, &m->lock);
	pthread_mutex_unlock(&m->lock);
	for (unsigned int i = 0; i < v->migrators; i++) {
		if (m->migrator[i].start < start)
			start = m->migrator[i].start;
		if (m->migrator[i].end > end)
			end = m->migrator[i].end;
	}
	return end - start;
}

uint64_t migrators_cpu_ns(const struct migrators *m)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < m->task.crowd; i++)
		sum += m->migrator[i].cpu_ns;
	return sum;
}
