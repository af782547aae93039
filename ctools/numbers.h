/* SPDX-License-Identifier: MIT */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* For qsort(). */
int by_double(const void *a, const void *b);

/* The middle of count samples, in their unit; 0 of none. */
double median(const uint64_t *samples, size_t count);

#endif
