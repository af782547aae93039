// SPDX-License-Identifier: MIT
/* A victim that hardly needs the CPU, but at once: it wakes up at 1 kHz. */
#include <stdatomic.h>
#include <stdlib.h>

#include "../clock.h"
#include "../victims.h"

#define KEPT (1u << 20) /* wake-ups whose lateness is known */

struct timer {
	uint64_t due_ns; /* the last wake-up */
	_Atomic size_t wakeups;
	uint32_t late[KEPT];
};

static void *timer_open(const struct victim_kind *kind, const char **wrong)
{
	struct timer *t = calloc(1, sizeof(*t));

	(void)kind;
	if (!t)
		*wrong = victim_no_memory;
	else
		t->due_ns = now_ns();
	return t;
}

static void timer_unit(void *state)
{
	struct timer *t = state;
	size_t nth = atomic_load(&t->wakeups);
	uint64_t late;

	t->due_ns += TIMER_NS;
	sleep_until_ns(t->due_ns);
	late = now_ns() - t->due_ns;
	t->late[nth % KEPT] = late < UINT32_MAX ? (uint32_t)late : UINT32_MAX;
	atomic_store(&t->wakeups, nth + 1);
	/* After a long wait the missed ones are not made up for. */
	if (late > TIMER_NS)
		t->due_ns += late / TIMER_NS * TIMER_NS;
}

static void timer_close(void *state)
{
	free(state);
}

static size_t timer_wakeups(void *state)
{
	return atomic_load(&((struct timer *)state)->wakeups);
}

static uint64_t timer_lateness(void *state, size_t nth)
{
	return ((struct timer *)state)->late[nth % KEPT];
}

const struct victim_kind timer_victim = {
	.name = "timer",
	.desc = "1 kHz timer",
	.unit = "a wake-up, told by how late it came",
	.open = timer_open,
	.do_unit = timer_unit,
	.close = timer_close,
	.wakeups = timer_wakeups,
	.lateness = timer_lateness,
};
