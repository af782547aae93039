/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_H
#define WORKERS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* How a worker learns that there is work. */
enum dispatch {
	DISPATCH_SPAWN, /* a new thread for each copy */
	DISPATCH_WAKE,	/* a sleeping thread, woken: a workqueue */
	DISPATCH_SPIN,	/* a thread that waits on a hot CPU */
};

/* What the caller does meanwhile. */
enum caller {
	CALLER_WORKS,	 /* does part 0, then waits: padata */
	CALLER_WAITS,	 /* queues all and waits: the posted series */
	CALLER_RECLAIMS, /* does part 0, then what nobody has begun */
};

enum priority {
	PRIORITY_NORMAL, /* nice 0: system_unbound_wq */
	PRIORITY_HIGH,	 /* nice -20: system_highpri_wq */
	PRIORITY_LOW,	 /* nice 19 */
	PRIORITY_IDLE,	 /* SCHED_IDLE */
};
#define PRIORITIES 4

struct team {
	unsigned int threads; /* the caller's own included, if it copies */
	enum dispatch dispatch;
	enum caller caller;
	enum priority priority;
	int unbound;   /* workers run anywhere, from one queue */
	int join_each; /* waits for one part after the other: flush_work() */
};

/* Does part number "part" of a copy. */
typedef void part_fn(void *job, unsigned int part);

struct call {
	part_fn *fn;
	const void *job; /* copied: a caller may not wait for all */
	size_t job_bytes;
	unsigned int parts;   /* often as many as the team has threads */
	unsigned int awaited; /* parts that the caller waits for: all, if right */
	unsigned int first;   /* worker that part 0 falls to */
	const unsigned int *chosen; /* or: the worker of each part */
};

/* When things happened in a call, by the clock of now_ns(). */
struct timeline {
	uint64_t allocated;		  /* the work items are there */
	uint64_t queued;		  /* all are with the workers */
	uint64_t first_start, last_start; /* by workers; 0: none began */
	uint64_t last_end;
};

/* Workers of one priority; bound: worker k on cpus[k], and over again. */
struct workers;

/* Returns NULL where no thread can be made, or not of that priority. */
struct workers *workers_create(unsigned int count, enum priority priority,
			       int unbound, const int *cpus,
			       unsigned int cpu_count);
void workers_destroy(struct workers *w);

/* Untimed. Put the team's workers on their toes before, to rest after. */
void workers_ready(struct workers *w, const struct team *team);
void workers_rest(struct workers *w, const struct team *team);

/* Returns when every awaited part is done; may be called by several at once. */
void workers_run(struct workers *w, const struct team *team,
		 const struct call *call, struct timeline *timeline);

/* CPU time of all workers so far, ended ones included, in ns. */
uint64_t workers_cpu_ns(struct workers *w);

/* Whether this process may have threads of that priority. */
int priority_allowed(enum priority priority);

int pin_to_cpu(int cpu);
/* As pthread_create(), for a thread that is never anywhere else. */
int start_on_cpu(pthread_t *thread, int cpu, void *(*main)(void *), void *arg);
void cpu_relax(void);

#endif
