// SPDX-License-Identifier: MIT
/* A victim that shares nothing but the CPU: registers only. */
#include "../victims.h"

#define STEPS 4096

void integer_work(void)
{
	uint64_t value = STEPS;

	for (unsigned int i = 0; i < STEPS; i++)
		value = value * 6364136223846793005u + 1442695040888963407u;
	keep(value);
}

static void *integer_open(const struct victim_kind *kind, const char **wrong)
{
	(void)kind;
	(void)wrong;
	return NULL;
}

static void integer_unit(void *state)
{
	(void)state;
	integer_work();
}

static void integer_close(void *state)
{
	(void)state;
}

const struct victim_kind integer_victim = {
	.name = "integer",
	.desc = "integer loop",
	.unit = "4096 multiplications and additions",
	.open = integer_open,
	.do_unit = integer_unit,
	.close = integer_close,
};
