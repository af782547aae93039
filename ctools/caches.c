// SPDX-License-Identifier: MIT
/* How much the caches can keep, as sysfs tells. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caches.h"

#define INDEXES	 8
#define LIST_MAX 4096 /* what sysfs writes at most */

/* Another tree than /sys: for tests, which make up a machine there. */
static const char *sysfs(void)
{
	const char *root = getenv("PAGECOPY_SYSFS");

	return root ? root : "/sys";
}

/* Empty where it cannot be read. */
static void read_index(char *text, int size, int cpu, int index,
		       const char *name)
{
	char path[512];
	FILE *f;

	*text = '\0';
	snprintf(path, sizeof(path),
		 "%s/devices/system/cpu/cpu%d/cache/index%d/%s", sysfs(), cpu,
		 index, name);
	f = fopen(path, "r");
	if (!f)
		return;
	if (!fgets(text, size, f))
		*text = '\0';
	fclose(f);
}

static unsigned long read_number(int cpu, int index, const char *name)
{
	char text[32];

	read_index(text, sizeof(text), cpu, index, name);
	return strtoul(text, NULL, 10);
}

/* The index of the highest level whose size is told, or -1. */
static int last_index(int cpu)
{
	unsigned long highest = 0;
	int found = -1;

	for (int i = 0; i < INDEXES; i++) {
		unsigned long level = read_number(cpu, i, "level");

		if (level > highest && read_number(cpu, i, "size")) {
			highest = level;
			found = i;
		}
	}
	return found;
}

static size_t bytes_of(int cpu, int index)
{
	return index < 0 ? 0 : read_number(cpu, index, "size") << 10;
}

/* In a list as the kernel's "0-2,4". What is not told is shared by all. */
static int is_listed(const char *list, int cpu)
{
	const char *at = list;

	while (*at >= '0' && *at <= '9') {
		char *end;
		long first = strtol(at, &end, 10), last = first;

		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		if (cpu >= first && cpu <= last)
			return 1;
		at = end + (*end == ',');
	}
	return at == list;
}

size_t last_level_cache(void)
{
	return bytes_of(0, last_index(0));
}

/* A cache counts with the first of the CPUs that share it. */
size_t last_level_caches(const int *cpus, unsigned int count)
{
	char list[LIST_MAX];
	size_t sum = 0;

	for (unsigned int i = 0; i < count; i++) {
		int index = last_index(cpus[i]), counted = 0;

		read_index(list, sizeof(list), cpus[i], index,
			   "shared_cpu_list");
		for (unsigned int k = 0; k < i && !counted; k++)
			counted = is_listed(list, cpus[k]);
		if (!counted)
			sum += bytes_of(cpus[i], index);
	}
	return sum;
}
