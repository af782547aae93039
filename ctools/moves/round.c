// SPDX-License-Identifier: MIT
/* The round: every arm there and back once, in random order. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../clock.h"
#include "../random.h"
#include "moves.h"

const char *const counters[COUNTERS + 1] = {
	"pgmigrate_success",  "pgmigrate_fail",	     "thp_migration_success",
	"thp_migration_fail", "thp_migration_split", NULL,
};

static void read_counters(uint64_t *values)
{
	FILE *file = fopen("/proc/vmstat", "r");
	char name[64];
	uint64_t value;

	memset(values, 0, COUNTERS * sizeof(*values));
	while (file && fscanf(file, "%63s %" SCNu64, name, &value) == 2)
		for (int i = 0; counters[i]; i++)
			if (!strcmp(name, counters[i]))
				values[i] = value;
	if (file)
		fclose(file);
}

static void run_arm(struct arm *arm, unsigned int round, int keep)
{
	uint64_t before[COUNTERS], after[COUNTERS], there, back;

	if (arm->live)
		set_live(arm->live);
	/* What the move before left to do for others is done meanwhile. */
	sleep_ns(20000000);
	read_counters(before);
	there = move(arm->row, opt.from, opt.to);
	back = move(arm->row, opt.to, opt.from);
	read_counters(after);
	if (arm->live)
		check_live(arm->live);
	if (!keep)
		return;
	arm->there[round] = there;
	arm->back[round] = back;
	for (int i = 0; i < COUNTERS; i++)
		arm->counted[i] += after[i] - before[i];
}

/*
 * Not random_next(): in another order the moves take other numbers of
 * instructions, and no longer those that were recorded.
 */
static uint64_t next_of_moves(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

void run(struct arm *arms, unsigned int count)
{
	unsigned int order[MOST_ARMS];
	uint64_t state = 1;

	for (unsigned int i = 0; i < count; i++) {
		order[i] = i;
		run_arm(&arms[i], 0, 0); /* once unmeasured */
	}
	for (unsigned int round = 0; round < opt.rounds; round++) {
		shuffle(order, count, next_of_moves, &state);
		for (unsigned int i = 0; i < count; i++)
			run_arm(&arms[order[i]], round, 1);
	}
}
