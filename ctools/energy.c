// SPDX-License-Identifier: MIT
/* Counters of the energy that packages and memory have taken. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "energy.h"

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

struct energy read_energy(const char *files)
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
uint64_t energy_since(const struct energy *before, const char *files)
{
	struct energy now = read_energy(files);
	uint64_t sum = 0;

	for (int i = 0; i < COUNTERS; i++)
		sum += now.uj[i] - before->uj[i] +
			(now.uj[i] < before->uj[i] ? now.range[i] : 0);
	return sum;
}
