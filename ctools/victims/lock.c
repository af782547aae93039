// SPDX-License-Identifier: MIT
/*
 * A victim that is waited for: it holds a lock most of the time, and what
 * preempts it holds up another thread as well, on a CPU that is left alone.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../clock.h"
#include "../victims.h"

#define HELD 4 /* integer_work()s, together some 20 us */

struct lock {
	pthread_mutex_t lock;
	pthread_cond_t returned;
	_Atomic int wanted, quit;
	pthread_t waiter;
	struct waits waits;
};

/* Wants the lock at 1 kHz. */
static void *waiter_main(void *state)
{
	struct lock *l = state;
	uint64_t asked = now_ns();

	while (!atomic_load(&l->quit)) {
		sleep_until_ns(asked + TIMER_NS);
		asked = now_ns();
		atomic_store(&l->wanted, 1);
		pthread_mutex_lock(&l->lock);
		waits_add(&l->waits, now_ns() - asked);
		atomic_store(&l->wanted, 0);
		pthread_cond_signal(&l->returned);
		pthread_mutex_unlock(&l->lock);
	}
	return NULL;
}

/*
 * The waiter is on the CPU of whoever opens, the caller of copies: there the
 * serial copy is in its way, too, but no worker. On the victim's own CPU a
 * worker would hold it up with or without a lock.
 */
static void *lock_open(const struct victim_kind *kind, const char **wrong)
{
	struct lock *l = calloc(1, sizeof(*l));

	(void)kind;
	if (!l) {
		*wrong = victim_no_memory;
		return NULL;
	}
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->returned, NULL);
	if (pthread_create(&l->waiter, NULL, waiter_main, l)) {
		*wrong = victim_no_thread;
		free(l);
		return NULL;
	}
	return l;
}

/* Lets go for whoever waits, or it would take the lock again before them. */
static void lock_unit(void *state)
{
	struct lock *l = state;

	pthread_mutex_lock(&l->lock);
	for (int i = 0; i < HELD; i++)
		integer_work();
	while (atomic_load(&l->wanted))
		pthread_cond_wait(&l->returned, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

static void lock_close(void *state)
{
	struct lock *l = state;

	atomic_store(&l->quit, 1);
	pthread_join(l->waiter, NULL);
	free(l);
}

static const struct waits *lock_waits(void *state)
{
	return &((struct lock *)state)->waits;
}

const struct victim_kind lock_victim = {
	.name = "lock",
	.desc = "lock holder",
	.unit = "a hand-over of the lock, told by how long it was waited for",
	.open = lock_open,
	.do_unit = lock_unit,
	.close = lock_close,
	.waits = lock_waits,
};
