// SPDX-License-Identifier: MIT
/* The middle of things. */
#include <stdlib.h>
#include <string.h>

#include "numbers.h"

int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

double median(const uint64_t *samples, size_t count)
{
	uint64_t *sorted;
	double middle;

	if (!count)
		return 0;
	sorted = malloc(count * sizeof(*sorted));
	if (!sorted)
		abort();
	memcpy(sorted, samples, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(sorted[0]), by_value);
	middle = ((double)sorted[(count - 1) / 2] + (double)sorted[count / 2]) /
		2;
	free(sorted);
	return middle;
}
