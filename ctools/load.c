// SPDX-License-Identifier: MIT
/* Background load: threads that compute, and rest in between. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "idle.h"
#include "load.h"
#include "random.h"
#include "victims.h"
#include "workers.h"

#define BURST_NS 1000000u /* and up to twice that more */

/* Each in a line of its own, or who reads one holds up its neighbours. */
struct loader {
	_Alignas(64) _Atomic uint64_t units; /* of work done */
	pthread_t thread;
	struct load *load;
	unsigned int percent; /* of one CPU */
	unsigned int slot;
	_Atomic int begun;
};

struct load {
	_Atomic int quit;
	unsigned int count;
	struct loader loader[];
};

static void burst(struct loader *me, uint64_t ns)
{
	uint64_t until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (!atomic_load(&me->load->quit) &&
	       clock_ns(CLOCK_THREAD_CPUTIME_ID) < until) {
		integer_work();
		atomic_fetch_add_explicit(&me->units, 1, memory_order_relaxed);
	}
}

static void rest(const struct loader *me, uint64_t ns)
{
	idle_publish(me->slot, -1);
	sleep_ns(ns);
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

/* calloc() heeds no alignment. */
static struct load *allocate(size_t loaders)
{
	size_t bytes = sizeof(struct load) + loaders * sizeof(struct loader);
	struct load *load = aligned_alloc(_Alignof(struct load), bytes);

	return load ? memset(load, 0, bytes) : NULL;
}

struct load *load_start(unsigned int percent, const int *cpus,
			unsigned int cpu_count)
{
	unsigned int each = (percent + 99) / 100;
	struct load *load;

	if (!percent)
		return NULL;
	load = allocate((size_t)each * cpu_count);
	if (!load)
		return NULL;
	for (unsigned int i = 0; i < each * cpu_count; i++) {
		struct loader *loader = &load->loader[i];
		unsigned int done = i / cpu_count * 100;

		loader->load = load;
		loader->slot = i % cpu_count;
		loader->percent = percent - done < 100 ? percent - done : 100;
		if (start_on_cpu(&loader->thread, cpus[loader->slot], load_main,
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

uint64_t load_work(const struct load *load)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; load && i < load->count; i++)
		sum += atomic_load_explicit(&load->loader[i].units,
					    memory_order_relaxed);
	return sum;
}
