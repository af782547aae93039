/* SPDX-License-Identifier: MIT */
#ifndef PROBE_H
#define PROBE_H

#include "bench.h"

/* One arm's turn in a round; channels and facts go into the arm itself. */
struct sample {
	uint64_t ns, caller_cpu_ns, worker_cpu_ns;
	uint64_t load_work; /* units */
};

/* What one sample is. To add one: a file in probes/, a line in probe.c. */
struct probe {
	/* Whether it is the one for a variant; the first that says so is. */
	int (*is_for)(const struct cell *cell, const struct variant *v);
	struct sample (*take)(struct bench *b, struct arm *arm);
	/* What it needs beside pools and workers; both may be NULL. */
	const char *(*open)(struct bench *b);
	void (*close)(struct bench *b);
	/* How many workers, of the variant's kind. */
	unsigned int (*workers)(const struct cell *c, const struct variant *v);
	/* What a sample is the time of, in bytes; of a scan, in looks. */
	size_t (*amount)(const struct cell *cell, const struct variant *v);
	int times_copies;    /* or somebody else's work */
	const char *heading; /* of the text */
};

const struct probe *probe_for(const struct cell *cell, const struct variant *v);
const char *probes_open(struct bench *b);
void probes_close(struct bench *b);

/* What several of them are made of. */
extern const char copies_heading[], times_heading[];
unsigned int team_size(const struct cell *cell, const struct variant *v);
size_t bytes_copied(const struct cell *cell, const struct variant *v);
size_t bytes_of_a_folio(const struct cell *cell, const struct variant *v);
void prepare_caches(const struct bench *b, const struct span *span);

/* Where the next copy goes; and, once it is there, that it went there. */
struct span next_span(struct bench *b, const struct variant *v);
void note_copy(struct bench *b, const struct arm *arm, const struct span *span);
struct workers *team_workers(struct bench *b, const struct variant *v);

/*
 * Between the two counts the CPU time of the caller and its workers, and around
 * it, as that reads a line for each loader, the work of the load.
 */
struct workers *begin_sample(struct bench *b, const struct variant *v,
			     struct sample *sample);
void end_sample(const struct bench *b, const struct variant *v,
		struct workers *w, struct sample *sample);

/* Of the probe that asks for nothing: one copy by one migrator. */
struct sample time_copy(struct bench *b, struct arm *arm,
			const struct span *span);

void add_value(struct arm *arm, enum channel channel, uint64_t value);
void add_fact(struct arm *arm, enum fact fact, uint64_t count);
/* Where there is a load. */
void add_load_work(const struct bench *b, struct arm *arm,
		   const struct sample *sample);

#endif
