// SPDX-License-Identifier: MIT
/* Which CPUs are idle: lines that some write and others read. */
#include <stdatomic.h>

#include "idle.h"

/* As far apart as per-CPU areas are: no prefetcher finds the next. */
#define STRIDE (4096 + 64)

static struct line {
	_Alignas(64) _Atomic int busy;
	char apart[STRIDE - sizeof(_Atomic int)];
} lines[IDLE_CPUS];

void idle_publish(unsigned int nth, int more)
{
	atomic_fetch_add_explicit(&lines[nth % IDLE_CPUS].busy, more,
				  memory_order_release);
}

int idle_is_busy(unsigned int nth)
{
	return atomic_load_explicit(&lines[nth % IDLE_CPUS].busy,
				    memory_order_acquire) > 0;
}

unsigned int idle_scan(unsigned int cpus)
{
	unsigned int idle = 0;

	for (unsigned int nth = 0; nth < cpus; nth++)
		idle += !idle_is_busy(nth);
	return idle;
}
