/* SPDX-License-Identifier: MIT */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "buffers.h"
#include "strategies.h"

/* One cell: everything its variants share. Sizes in bytes. */
struct cell {
	size_t base, folio;
	size_t pairs;		/* folios in each pool */
	unsigned int rounds;
	uint64_t seed;		/* of the order within each round */
	int src_warm, dst_warm;
	int src_node, dst_node;	/* -1: anywhere */
	enum backing backing;
	const int *cpus;	/* the caller's first, then the workers' */
	unsigned int cpu_count;
};

/* A variant and its samples, one per round. */
struct arm {
	struct variant v;
	uint64_t *ns;
	uint64_t *caller_cpu_ns;
	uint64_t *worker_cpu_ns;	/* rounds x threads, parallel only */
	double delay_achieved_ns;
};

struct bench {
	struct cell cell;
	struct arm *arms;
	unsigned int count;
	struct pool src, dst;
	struct workers *workers;
	size_t next_pair;
};

/* Each returns NULL, or what went wrong in one line. */
const char *bench_open(struct bench *b);
const char *bench_verify(struct bench *b, const struct arm *arm);
const char *bench_run(struct bench *b);
void bench_close(struct bench *b);

/* Median time of a copy of nothing, taken as a sample is taken, in ns. */
double bench_overhead_ns(struct bench *b);

/* The middle of count samples, in their unit. */
double median_ns(const uint64_t *samples, unsigned int count);

#endif
