// SPDX-License-Identifier: MIT
/* A victim that hardly needs the CPU, but at once: it wakes up at 1 kHz. */
#include <stdlib.h>

#include "../clock.h"
#include "../victims.h"

struct timer {
	uint64_t due_ns; /* the last wake-up */
	struct waits late;
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
	uint64_t late;

	t->due_ns += TIMER_NS;
	sleep_until_ns(t->due_ns);
	late = now_ns() - t->due_ns;
	waits_add(&t->late, late);
	/* After a long wait the missed ones are not made up for. */
	if (late > TIMER_NS)
		t->due_ns += late / TIMER_NS * TIMER_NS;
}

static void timer_close(void *state)
{
	free(state);
}

static const struct waits *timer_waits(void *state)
{
	return &((struct timer *)state)->late;
}

const struct victim_kind timer_victim = {
	.name = "timer",
	.desc = "1 kHz timer",
	.unit = "a wake-up, told by how late it came",
	.open = timer_open,
	.do_unit = timer_unit,
	.close = timer_close,
	.waits = timer_waits,
};
