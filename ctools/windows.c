// SPDX-License-Identifier: MIT
/*
 * Samples whose time is not the copy's but somebody else's: a victim's work
 * in a window of time while a migrator copies at a steady rate, and a pass
 * over a working set after a copy went through the caches.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "samples.h"

#define PASSES	6

static void sleep_until_ns(uint64_t ns)
{
	const struct timespec when = {
		.tv_sec = (time_t)(ns / 1000000000u),
		.tv_nsec = (long)(ns % 1000000000u),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) ==
	       EINTR)
		;
}

#define COUNTERS	16

struct energy {
	uint64_t uj[COUNTERS], range[COUNTERS];	/* range 0: not known */
};

/* Whether all of them can be read, and are not too many. */
int energy_readable(const char *files)
{
	char copy[1024], *rest = copy, *path;
	int count = 0;

	if (strlen(files) >= sizeof(copy))
		return 0;
	strcpy(copy, files);
	while ((path = strsep(&rest, ",")))
		if (++count > COUNTERS || access(path, R_OK))
			return 0;
	return 1;
}

static uint64_t read_number(const char *path)
{
	unsigned long long value = 0;
	FILE *file = fopen(path, "r");

	if (file && fscanf(file, "%llu", &value) != 1)
		value = 0;
	if (file)
		fclose(file);
	return value;
}

static struct energy read_energy(const char *files)
{
	struct energy energy = {};
	char copy[1024], *rest = copy, *path;

	if (!files)
		return energy;
	strcpy(copy, files);
	for (int i = 0; i < COUNTERS && (path = strsep(&rest, ",")); i++) {
		char range[1100], *name = strrchr(path, '/');

		energy.uj[i] = read_number(path);
		snprintf(range, sizeof(range), "%.*s/max_energy_range_uj",
			 name ? (int)(name - path) : 0, path);
		energy.range[i] = read_number(range);
	}
	return energy;
}

/* Counters begin again at 0 when they have reached their range. */
static uint64_t energy_since(const struct energy *before, const char *files)
{
	struct energy now = read_energy(files);
	uint64_t sum = 0;

	for (int i = 0; i < COUNTERS; i++)
		sum += now.uj[i] - before->uj[i] +
		       (now.uj[i] < before->uj[i] ? now.range[i] : 0);
	return sum;
}

/*
 * Copies at a steady rate, from window to window; those that came too late are
 * not made up for.
 */
static void migrate_until(struct bench *b, struct arm *arm, uint64_t start,
			  uint64_t end)
{
	uint64_t period = 1000000000u / b->cell.rate;
	uint64_t next = start + arm->due_ns;
	struct workers *w = team_workers(b, &arm->v);

	while (next < end) {
		struct span span = next_span(b, &arm->v);
		struct observed unused;
		uint64_t before, after;

		sleep_until_ns(next);
		before = now_ns();
		copy_span(&arm->v, w, 0, &span, &unused);
		after = now_ns();
		add_value(arm, CHANNEL_COPY, after - before);
		next += period;
		if (next < after)
			next += (after - next + period - 1) / period * period;
	}
	arm->due_ns = (next - end) % period;
}

static void add_victim(struct bench *b, struct arm *arm,
		       const struct victim_state *before,
		       const struct victim_state *after, uint64_t took_ns)
{
	for (size_t i = before->wakeups; i < after->wakeups; i++)
		add_value(arm, CHANNEL_WAKEUP, victim_lateness(b->victim, i));
	/* A window is longer where its last copy was late. */
	add_value(arm, CHANNEL_WINDOW, took_ns);
	add_value(arm, CHANNEL_VICTIM_CPU, after->cpu_ns - before->cpu_ns);
	add_fact(arm, FACT_SWITCHES, after->switches - before->switches);
}

/* The middle of how late a window's wake-ups came. */
static uint64_t median_lateness(struct bench *b,
				const struct victim_state *before,
				const struct victim_state *after)
{
	size_t count = after->wakeups - before->wakeups;
	uint64_t late[count + 1];

	for (size_t i = 0; i < count; i++)
		late[i] = victim_lateness(b->victim, before->wakeups + i);
	return count ? (uint64_t)median_ns(late, count) + 1 : 1;
}

/* A sample is the time of one unit of the victim's work. */
struct sample take_window(struct bench *b, struct arm *arm)
{
	const struct variant *v = &arm->v;
	struct victim_state before, after;
	struct sample sample = {};
	struct energy energy = read_energy(b->cell.energy);
	struct workers *w = begin_sample(b, v, &sample);
	uint64_t start, end, units;

	before = victim_read(b->victim);
	start = now_ns();
	if (v->strategy != STRATEGY_ALONE)
		migrate_until(b, arm, start,
			      start + b->cell.window_ms * 1000000ull);
	sleep_until_ns(start + b->cell.window_ms * 1000000ull);
	end = now_ns();
	after = victim_read(b->victim);
	end_sample(v, w, &sample);
	if (b->cell.energy)
		add_fact(arm, FACT_ENERGY,
			 energy_since(&energy, b->cell.energy));
	add_victim(b, arm, &before, &after, end - start);
	units = after.units - before.units;
	sample.ns = b->cell.victim == VICTIM_TIMER ?
		median_lateness(b, &before, &after) :
		(end - start) / (units ? units : 1);
	return sample;
}

/* A sample is the first pass over a warm working set after the copy. */
struct sample take_recovery(struct bench *b, struct arm *arm)
{
	const struct variant *v = &arm->v;
	size_t lines = ring_lines(b->ring);
	struct sample sample = {};
	struct observed unused;
	struct workers *w;
	uint64_t before, after;

	ring_walk(b->ring, 2 * lines);
	w = begin_sample(b, v, &sample);
	if (v->strategy != STRATEGY_ALONE) {
		struct span span = next_span(b, v);

		copy_span(v, w, 0, &span, &unused);
	}
	end_sample(v, w, &sample);
	before = now_ns();
	for (int pass = 0; pass < PASSES; pass++) {
		ring_walk(b->ring, lines);
		after = now_ns();
		if (!pass)
			sample.ns = after - before;
		add_value(arm, CHANNEL_PASS, after - before);
		before = after;
	}
	return sample;
}
