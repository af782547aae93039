// SPDX-License-Identifier: MIT
/*
 * A sample is the time of one unit of a victim's work, in a window in which a
 * migrator copies at a steady rate.
 */
#include "../clock.h"
#include "../energy.h"
#include "../numbers.h"
#include "../probe.h"

/*
 * Copies at a steady rate, from window to window; those that came too late are
 * not made up for.
 */
static void migrate_until(struct bench *b, struct arm *arm, uint64_t start,
			  uint64_t end)
{
	uint64_t period = NS_PER_S / b->cell.rate;
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
		note_copy(b, arm, &span);
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
	for (size_t i = before->waits; i < after->waits; i++)
		add_value(arm, CHANNEL_WAKEUP, victim_wait_ns(b->victim, i));
	/* A window is longer where its last copy was late. */
	add_value(arm, CHANNEL_WINDOW, took_ns);
	add_value(arm, CHANNEL_VICTIM_CPU, after->cpu_ns - before->cpu_ns);
	add_fact(arm, FACT_SWITCHES, after->switches - before->switches);
}

/* The middle of a window's waits. */
static uint64_t median_wait(struct bench *b, const struct victim_state *before,
			    const struct victim_state *after)
{
	size_t count = after->waits - before->waits;
	uint64_t ns[count + 1];

	for (size_t i = 0; i < count; i++)
		ns[i] = victim_wait_ns(b->victim, before->waits + i);
	return count ? (uint64_t)median(ns, count) + 1 : 1;
}

/* Of a round that is not measured, only as long as has a copy in it. */
static uint64_t window_ns(const struct bench *b)
{
	return b->rehearses ? NS_PER_S / b->cell.rate :
			      b->cell.window_ms * 1000000ull;
}

/* A sample is the time of one unit of the victim's work. */
static struct sample take_window(struct bench *b, struct arm *arm)
{
	const struct variant *v = &arm->v;
	struct victim_state before, after;
	struct sample sample = {};
	struct energy energy;
	struct workers *w;
	uint64_t start, end, due, units;

	phase_begin(b, PHASE_SAMPLES);
	energy = read_energy(b->cell.energy);
	w = begin_sample(b, v, &sample);
	before = victim_read(b->victim);
	start = now_ns();
	due = start + window_ns(b);
	if (v->strategy != STRATEGY_ALONE)
		migrate_until(b, arm, start, due);
	sleep_until_ns(due);
	end = now_ns();
	after = victim_read(b->victim);
	end_sample(b, v, w, &sample);
	if (b->cell.energy)
		add_fact(arm, FACT_ENERGY,
			 energy_since(&energy, b->cell.energy));
	add_victim(b, arm, &before, &after, end - start);
	units = after.units - before.units;
	sample.ns = b->cell.victim->waits ? median_wait(b, &before, &after) :
					    (end - start) / (units ? units : 1);
	return sample;
}

static int is_window(const struct cell *cell, const struct variant *v)
{
	(void)v;
	return cell->victim != NULL;
}

/* Victims run where the first worker does, which is where it hurts. */
static const char *open_window(struct bench *b)
{
	const char *wrong = NULL;

	b->victim = victim_start(b->cell.victim,
				 b->cell.cpus[b->cell.cpu_count > 1], &wrong);
	return wrong;
}

static void close_window(struct bench *b)
{
	victim_stop(b->victim);
}

const struct probe window_probe = {
	.is_for = is_window,
	.take = take_window,
	.open = open_window,
	.close = close_window,
	.workers = team_size,
	.amount = bytes_of_a_folio,
	.heading = "time of a unit of the victim's work, its speed over the "
		   "first\n[95 % of repeats], median time of the migrator's "
		   "copies\n",
};
