// SPDX-License-Identifier: MIT
/*
 * Who helps: threads that copy parts, and the ways to get them going. One
 * file, though a long one: queues, workers and callers meet in the same locks.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "workers.h"

/* One part, queued: what a kernel's struct work_struct is. */
struct work {
	struct work *next;
	struct running *call;
	unsigned int part;
	int awaited, done;
	int taken_back;		 /* done by the caller after all */
	uint64_t started, ended; /* where a timeline is wanted */
};

/* A call under way; its work items lie behind it, and behind them its job. */
struct running {
	struct call call;
	void *job;
	int timed, spin;
	_Atomic unsigned int pending; /* awaited parts not done */
	_Atomic unsigned int left;    /* parts not done, awaited or not */
	const struct work *joining;   /* the one part that is waited for */
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct running *next; /* returned from before all was done */
	struct work work[];
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct work *head;
	_Atomic unsigned int length;
	_Atomic int spinning, quit;
	_Atomic unsigned int spinners;
};

struct worker {
	pthread_t thread;
	struct queue *queue;
	struct workers *pool;
	unsigned int nth;
	_Atomic int ready; /* -1: not with that priority */
};

struct workers {
	unsigned int count, queues, cpu_count;
	enum priority priority;
	int unbound;
	const int *cpus;
	_Atomic uint64_t ended_cpu_ns; /* of spawned threads that are gone */
	struct running *unfinished;
	struct queue *queue;
	struct worker worker[];
};

void cpu_relax(void)
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

/* Born on its CPUs: pinning itself, it would first queue on the caller's. */
static int start_on_set(pthread_t *thread, const cpu_set_t *set,
			void *(*main)(void *), void *arg)
{
	pthread_attr_t attr;
	int failed;

	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(*set), set);
	failed = pthread_create(thread, &attr, main, arg);
	pthread_attr_destroy(&attr);
	return failed;
}

int start_on_cpu(pthread_t *thread, int cpu, void *(*main)(void *), void *arg)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return start_on_set(thread, &set, main, arg);
}

/* Of the calling thread, which Linux lets have a nice value of its own. */
static int take_priority(enum priority priority)
{
	static const int nice_value[] = {
		[PRIORITY_NORMAL] = 0,
		[PRIORITY_HIGH] = -20,
		[PRIORITY_LOW] = 19,
	};
	struct sched_param none = {};

	if (priority == PRIORITY_IDLE)
		return sched_setscheduler(0, SCHED_IDLE, &none);
	if (priority == PRIORITY_NORMAL)
		return 0; /* whatever the user runs this at */
	return setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid),
			   nice_value[priority]);
}

static void *try_priority(void *priority)
{
	return take_priority(*(enum priority *)priority) ? NULL : priority;
}

int priority_allowed(enum priority priority)
{
	pthread_t thread;
	void *allowed = NULL;

	/* In a thread of its own: there is no way back from some. */
	if (pthread_create(&thread, NULL, try_priority, &priority))
		return 0;
	pthread_join(thread, &allowed);
	return allowed != NULL;
}

static void cpus_of(const struct workers *w, unsigned int nth, cpu_set_t *set)
{
	CPU_ZERO(set);
	if (!w->unbound)
		CPU_SET(w->cpus[nth % w->cpu_count], set);
	else
		for (unsigned int i = 0; i < w->cpu_count; i++)
			CPU_SET(w->cpus[i], set);
}

static void report_done(struct work *work)
{
	struct running *call = work->call;

	/* A spinning team must not enter the kernel between two copies. */
	if (call->spin) {
		atomic_fetch_sub(&call->left, 1);
		return;
	}
	/* Under the lock, or the caller could free it between the two. */
	pthread_mutex_lock(&call->lock);
	work->done = 1;
	if (work->awaited)
		atomic_fetch_sub(&call->pending, 1);
	atomic_fetch_sub(&call->left, 1);
	if (!call->pending || !call->left || call->joining == work)
		pthread_cond_signal(&call->done);
	pthread_mutex_unlock(&call->lock);
}

static void do_work(struct work *work)
{
	struct running *call = work->call;

	if (call->timed)
		work->started = now_ns();
	call->call.fn(call->job, work->part);
	if (call->timed)
		work->ended = now_ns();
	report_done(work);
}

/* Takes the first item, or just "wanted"; NULL where it is not there. */
static struct work *take(struct queue *q, const struct work *wanted)
{
	for (struct work **at = &q->head; *at; at = &(*at)->next) {
		struct work *work = *at;

		if (wanted && work != wanted)
			continue;
		*at = work->next;
		atomic_fetch_sub(&q->length, 1);
		return work;
	}
	return NULL;
}

static void put(struct queue *q, struct work *work)
{
	struct work **at = &q->head;

	pthread_mutex_lock(&q->lock);
	while (*at)
		at = &(*at)->next;
	*at = work;
	atomic_fetch_add(&q->length, 1);
	pthread_mutex_unlock(&q->lock);
	pthread_cond_signal(&q->filled);
}

static void spin_for_work(struct queue *q)
{
	atomic_fetch_add(&q->spinners, 1);
	while (!atomic_load(&q->length) && atomic_load(&q->spinning) &&
	       !atomic_load(&q->quit))
		cpu_relax();
	atomic_fetch_sub(&q->spinners, 1);
}

/* NULL: time to go. */
static struct work *next_work(struct queue *q)
{
	struct work *work;

	pthread_mutex_lock(&q->lock);
	while (!(work = take(q, NULL)) && !q->quit) {
		if (!q->spinning) {
			pthread_cond_wait(&q->filled, &q->lock);
			continue;
		}
		pthread_mutex_unlock(&q->lock);
		spin_for_work(q);
		pthread_mutex_lock(&q->lock);
	}
	pthread_mutex_unlock(&q->lock);
	return work;
}

static void *worker_main(void *arg)
{
	struct worker *me = arg;
	struct work *work;

	me->ready = take_priority(me->pool->priority) ? -1 : 1;
	while ((work = next_work(me->queue)))
		do_work(work);
	return NULL;
}

static int start_thread(pthread_t *thread, const struct workers *w,
			unsigned int nth, void *(*main)(void *), void *arg)
{
	cpu_set_t set;

	cpus_of(w, nth, &set);
	return start_on_set(thread, &set, main, arg);
}

static int start_worker(struct workers *w, unsigned int nth)
{
	struct worker *worker = &w->worker[nth];

	worker->pool = w;
	worker->nth = nth;
	worker->queue = &w->queue[nth % w->queues];
	if (start_thread(&worker->thread, w, nth, worker_main, worker))
		return -1;
	w->count++;
	while (!atomic_load(&worker->ready))
		sched_yield();
	return atomic_load(&worker->ready) < 0 ? -1 : 0;
}

struct workers *workers_create(unsigned int count, enum priority priority,
			       int unbound, const int *cpus,
			       unsigned int cpu_count)
{
	struct workers *w =
		calloc(1, sizeof(*w) + count * sizeof(w->worker[0]));

	if (!w)
		return NULL;
	w->priority = priority;
	w->unbound = unbound;
	w->cpus = cpus;
	w->cpu_count = cpu_count;
	w->queues = unbound ? 1 : count;
	w->queue = calloc(w->queues, sizeof(*w->queue));
	if (!w->queue) {
		free(w);
		return NULL;
	}
	for (unsigned int i = 0; i < w->queues; i++) {
		pthread_mutex_init(&w->queue[i].lock, NULL);
		pthread_cond_init(&w->queue[i].filled, NULL);
	}
	for (unsigned int i = 0; i < count; i++)
		if (start_worker(w, i)) {
			workers_destroy(w);
			return NULL;
		}
	return w;
}

void workers_destroy(struct workers *w)
{
	if (!w)
		return;
	for (unsigned int i = 0; i < w->queues; i++) {
		pthread_mutex_lock(&w->queue[i].lock);
		atomic_store(&w->queue[i].quit, 1);
		pthread_cond_broadcast(&w->queue[i].filled);
		pthread_mutex_unlock(&w->queue[i].lock);
	}
	for (unsigned int i = 0; i < w->count; i++)
		pthread_join(w->worker[i].thread, NULL);
	free(w->queue);
	free(w);
}

static unsigned int first_helper(const struct team *team)
{
	return team->caller == CALLER_WAITS ? 0 : 1;
}

static void set_spinning(struct workers *w, const struct team *team, int on)
{
	for (unsigned int i = first_helper(team); i < team->threads; i++) {
		struct queue *q = &w->queue[i];

		pthread_mutex_lock(&q->lock);
		atomic_store(&q->spinning, on);
		pthread_cond_signal(&q->filled);
		pthread_mutex_unlock(&q->lock);
		while (atomic_load(&q->spinners) != (unsigned int)on)
			cpu_relax();
	}
}

void workers_ready(struct workers *w, const struct team *team)
{
	if (team->dispatch == DISPATCH_SPIN)
		set_spinning(w, team, 1);
}

static void wait_until_none(struct running *call, _Atomic unsigned int *left)
{
	pthread_mutex_lock(&call->lock);
	while (atomic_load(left))
		pthread_cond_wait(&call->done, &call->lock);
	pthread_mutex_unlock(&call->lock);
}

void workers_rest(struct workers *w, const struct team *team)
{
	if (team->dispatch == DISPATCH_SPIN)
		set_spinning(w, team, 0);
	while (w->unfinished) {
		struct running *call = w->unfinished;

		wait_until_none(call, &call->left);
		w->unfinished = call->next;
		free(call);
	}
}

/* In the order they were queued, as a loop of flush_work() does. */
static void join_each(struct running *call)
{
	unsigned int parts = call->call.parts;

	pthread_mutex_lock(&call->lock);
	for (unsigned int i = parts; i-- > 0;) {
		if (!call->work[i].awaited)
			continue;
		call->joining = &call->work[i];
		while (!call->work[i].done)
			pthread_cond_wait(&call->done, &call->lock);
	}
	pthread_mutex_unlock(&call->lock);
}

struct spawned {
	pthread_t thread;
	struct workers *pool;
	struct work *work;
};

static void *spawned_main(void *arg)
{
	struct spawned *me = arg;

	do_work(me->work);
	atomic_fetch_add(&me->pool->ended_cpu_ns,
			 clock_ns(CLOCK_THREAD_CPUTIME_ID));
	return NULL;
}

static unsigned int worker_of(const struct team *team, const struct call *call,
			      const struct workers *w, unsigned int part)
{
	unsigned int count = w->count ? w->count : w->cpu_count;

	if (call->chosen)
		return call->chosen[part] % count;
	return (call->first + part % team->threads) % count;
}

static void run_spawned(struct workers *w, const struct team *team,
			struct running *running, struct timeline *timeline)
{
	const struct call *call = &running->call;
	unsigned int first = first_helper(team), made = call->parts;
	struct spawned *threads = calloc(call->parts, sizeof(*threads));

	if (!threads)
		abort(); /* some bytes a thread */
	/* Downwards: part 0 may share the caller's CPU and take it over. */
	while (made > first) {
		struct spawned *next = &threads[made - 1];

		next->pool = w;
		next->work = &running->work[made - 1];
		if (start_thread(&next->thread, w,
				 worker_of(team, call, w, made - 1),
				 spawned_main, next))
			break;
		made--;
	}
	if (timeline)
		timeline->queued = now_ns();
	/* Out of threads: what cannot be handed out is done here. */
	for (unsigned int i = first; i < made; i++)
		do_work(&running->work[i]);
	if (first)
		do_work(&running->work[0]);
	for (unsigned int i = made; i < call->parts; i++)
		pthread_join(threads[i].thread, NULL);
	free(threads);
}

/* What no worker has begun is done here; the last queued first. */
static void reclaim(struct workers *w, const struct team *team,
		    struct running *running)
{
	for (unsigned int i = running->call.parts; i-- > 1;) {
		struct queue *q =
			&w->queue[worker_of(team, &running->call, w, i) %
				  w->queues];
		struct work *work;

		pthread_mutex_lock(&q->lock);
		work = take(q, &running->work[i]);
		pthread_mutex_unlock(&q->lock);
		if (work) {
			work->taken_back = 1;
			do_work(work);
		}
	}
}

static void run_pooled(struct workers *w, const struct team *team,
		       struct running *running, struct timeline *timeline)
{
	const struct call *call = &running->call;
	unsigned int first = first_helper(team);

	/* Downwards: part 0 may share the caller's CPU and take it over. */
	for (unsigned int i = call->parts; i-- > first;)
		put(&w->queue[worker_of(team, call, w, i) % w->queues],
		    &running->work[i]);
	if (timeline)
		timeline->queued = now_ns();
	if (first)
		do_work(&running->work[0]);
	if (team->caller == CALLER_RECLAIMS)
		reclaim(w, team, running);
	if (running->spin)
		while (atomic_load(&running->left))
			cpu_relax();
	else if (team->join_each)
		join_each(running);
	else
		wait_until_none(running, &running->pending);
}

static void fill_timeline(struct timeline *timeline, const struct team *team,
			  const struct running *running)
{
	timeline->first_start = timeline->last_start = 0;
	timeline->last_end = 0;
	for (unsigned int i = 0; i < running->call.parts; i++) {
		const struct work *work = &running->work[i];

		if (work->ended > timeline->last_end)
			timeline->last_end = work->ended;
		if (i < first_helper(team) || work->taken_back)
			continue;
		if (!timeline->first_start ||
		    work->started < timeline->first_start)
			timeline->first_start = work->started;
		if (work->started > timeline->last_start)
			timeline->last_start = work->started;
	}
}

/* A caller that does not wait for all leaves the call behind: see rest(). */
static void leave_or_free(struct workers *w, struct running *running)
{
	if (running->call.awaited >= running->call.parts) {
		free(running);
		return;
	}
	running->next = w->unfinished;
	w->unfinished = running;
}

void workers_run(struct workers *w, const struct team *team,
		 const struct call *call, struct timeline *timeline)
{
	/* Allocated for each call, as the posted series do. */
	size_t items = call->parts * sizeof(struct work);
	struct running *running =
		calloc(1, sizeof(*running) + items + call->job_bytes);

	if (!running)
		abort(); /* a few hundred bytes */
	running->call = *call;
	running->job = (char *)running->work + items;
	memcpy(running->job, call->job, call->job_bytes);
	running->timed = timeline != NULL;
	running->spin = team->dispatch == DISPATCH_SPIN;
	running->left = call->parts;
	running->pending = call->awaited < call->parts ? call->awaited :
							 call->parts;
	pthread_mutex_init(&running->lock, NULL);
	pthread_cond_init(&running->done, NULL);
	for (unsigned int i = 0; i < call->parts; i++) {
		running->work[i].call = running;
		running->work[i].part = i;
		/* Those that are queued first. */
		running->work[i].awaited = i >= call->parts - running->pending;
	}
	if (timeline)
		timeline->allocated = now_ns();
	if (team->dispatch == DISPATCH_SPAWN)
		run_spawned(w, team, running, timeline);
	else
		run_pooled(w, team, running, timeline);
	if (timeline)
		fill_timeline(timeline, team, running);
	leave_or_free(w, running);
}

uint64_t workers_cpu_ns(struct workers *w)
{
	uint64_t sum = atomic_load(&w->ended_cpu_ns);

	for (unsigned int i = 0; i < w->count; i++) {
		clockid_t clock;

		if (!pthread_getcpuclockid(w->worker[i].thread, &clock))
			sum += clock_ns(clock);
	}
	return sum;
}
