/* SPDX-License-Identifier: MIT */
#ifndef SAMPLES_H
#define SAMPLES_H

#include "bench.h"

/* One arm's turn in a round; channels and facts go into the arm itself. */
struct sample {
	uint64_t ns, caller_cpu_ns, worker_cpu_ns;
};

struct sample take_copy(struct bench *b, struct arm *arm);
struct sample take_crowd(struct bench *b, struct arm *arm);
struct sample take_scan(struct bench *b, struct arm *arm);
/* In windows.c: the time is somebody else's. */
struct sample take_window(struct bench *b, struct arm *arm);
struct sample take_recovery(struct bench *b, struct arm *arm);
int energy_readable(const char *files);

/* The middle of count samples, in their unit. */
double median_ns(const uint64_t *samples, size_t count);

/* What they are made of. */
struct span next_span(struct bench *b, const struct variant *v);
/* Between the two counts the CPU time of the caller and its workers. */
struct workers *begin_sample(struct bench *b, const struct variant *v,
			     struct sample *sample);
void end_sample(const struct variant *v, struct workers *w,
		struct sample *sample);
struct workers *team_workers(struct bench *b, const struct variant *v);
void add_value(struct arm *arm, enum channel channel, uint64_t ns);
void add_fact(struct arm *arm, enum fact fact, uint64_t count);

#endif
