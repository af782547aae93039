/* SPDX-License-Identifier: MIT */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "buffers.h"
#include "load.h"
#include "migrators.h"
#include "strategies.h"
#include "victims.h"

/* Who reads what was copied: the copying CPU, or the second one. */
enum reads { READER_NONE, READER_HERE, READER_ELSEWHERE };

extern const char *const reader_words[]; /* end with NULL */

/* One cell: everything its variants share. Sizes in bytes. */
struct cell {
	size_t base, folio;
	size_t pairs; /* folios in each pool */
	unsigned int rounds;
	uint64_t seed; /* of the order within each round */
	int src_warm, dst_warm;
	int src_node, dst_node; /* -1: anywhere */
	enum backing backing;
	const int *cpus; /* the caller's first, then the workers' */
	unsigned int cpu_count;
	unsigned int load_percent; /* of background load on each CPU */
	unsigned int pause_us;	   /* of sleep before each sample */
	/* NULL, or a sample is the victim's time, not a copy's: */
	const struct victim_kind *victim;
	unsigned int window_ms, rate; /* of victim samples; copies a second */
	/* NULL, or a sample is a pass over this one's cache: */
	const struct victim_kind *recover;
	int recover_on_worker; /* of the first one, not on the caller's CPU */
	/* Or a pass of reading the destination. */
	enum reads reader;
	const char *energy; /* counter files in uJ, with commas between */
	unsigned int limit_percent; /* of one CPU, for the caller's cgroup */
};

/* Whoever suffers; NULL: nobody. */
static inline const struct victim_kind *victim_of(const struct cell *cell)
{
	return cell->victim ? cell->victim : cell->recover;
}

/* Beside the one sample of a round: any number of values, in ns but for one. */
enum channel {
	CHANNEL_WINDOW,	    /* how long a victim's window really was */
	CHANNEL_COPY,	    /* copies within it, or before a pass */
	CHANNEL_WAKEUP,	    /* waits of a victim, as a timer's lateness */
	CHANNEL_VICTIM_CPU, /* time the victim ran in a window */
	CHANNEL_LATENCY,    /* of each migrator's copies */
	CHANNEL_PASS,	    /* all passes over a cache after a copy */
	CHANNEL_ALLOCATED,  /* phases of a dispatch, from its begin */
	CHANNEL_QUEUED,
	CHANNEL_FIRST_START,
	CHANNEL_LAST_START,
	CHANNEL_LAST_END,
	CHANNEL_JOINED,
	CHANNEL_WAIT,	   /* allocated to last start, if any began */
	CHANNEL_LOAD_WORK, /* units that the load did during a sample */
	CHANNELS
};

/* Counts over all rounds. */
enum fact {
	FACT_SWITCHES, /* involuntary, of the victim */
	FACT_ENERGY,   /* uJ */
	FACT_SCANNED,  /* CPUs looked at */
	FACT_FOUND_IDLE,
	FACT_STALE,	 /* found idle, and busy when the work began */
	FACT_TAKEN_BACK, /* copies for which no worker began in time */
	FACT_PARTS,	 /* shared ones, and those that the caller did */
	FACT_DRAINED,
	FACTS
};

extern const char *const channel_names[CHANNELS + 1]; /* end with NULL */
extern const char *const fact_names[FACTS + 1];

struct values {
	uint64_t *at;
	size_t count, room;
};

/* A variant and its samples, one per round. */
struct arm {
	struct variant v;
	const struct probe *probe; /* what a sample of it is */
	uint64_t *ns;
	uint64_t *caller_cpu_ns; /* of all migrators */
	uint64_t *worker_cpu_ns; /* of all workers, parallel only */
	double delay_achieved_ns;
	uint64_t due_ns; /* into the next window: its first copy */
	struct values channel[CHANNELS];
	int64_t fact[FACTS]; /* -1: does not apply */
};

/* What a process spends its time for; each moment belongs to one of them. */
enum phase {
	PHASE_POOLS,  /* made, faulted in, filled */
	PHASE_START,  /* threads, calibration, the round that is not measured */
	PHASE_VERIFY, /* before the rounds, and after them */
	PHASE_SAMPLES, /* copies, and windows of a victim */
	PHASE_PAUSES,  /* that were asked for before them */
	PHASE_REST,    /* of the rounds: order, caches, stamps */
	PHASE_END,     /* what the bench itself costs; nothing is to be left */
	PHASES
};

extern const char *const phase_names[PHASES + 1]; /* ends with NULL */

struct bench {
	struct cell cell;
	struct arm *arms;
	unsigned int count;
	struct pool src, dst;
	struct workers *workers[PRIORITIES][2]; /* by priority and unbound */
	struct migrators *migrators;		/* these four by probes */
	struct victim *victim;
	struct ring *ring;
	struct reader *reader;
	struct workers *walker; /* NULL: the caller passes over the ring */
	struct load *load;
	size_t next_pair;
	int wrapped;		     /* the pools were gone through since */
	uint64_t stamps;	     /* that the source has had: see stamps.c */
	struct copied *copied;	     /* each folio of the destination */
	int rehearses;		     /* a round that is not measured */
	unsigned int threads_before; /* in this process */
	double llc_load_ns, memory_load_ns; /* 0: not measured */
	double overhead_ns; /* median time of a copy of nothing */
	enum phase phase;   /* that we are in */
	uint64_t phase_since, phase_ns[PHASES];
};

/*
 * Each returns NULL, or what went wrong in one line. What a closed one has
 * measured stays, until it is freed.
 */
const char *bench_open(struct bench *b);
/*
 * The background load and the CPU limit: after verification, which need not
 * bear them, and after the workers, who are to stay outside of the limit.
 */
const char *bench_burden(struct bench *b);
const char *bench_run(struct bench *b);
/* Ends all threads, and the limit: whoever checks is alone. */
const char *bench_stop(struct bench *b);
void bench_close(struct bench *b);
void bench_free(struct bench *b);

/* Ends the phase before it. Never within what is timed: it reads the clock. */
void phase_begin(struct bench *b, enum phase phase);

/* In verify.c. */
const char *bench_verify(struct bench *b, const struct arm *arm);
int copies_bytes(const struct variant *v);

/* In stamps.c: every byte of the last copy of each folio in the rounds. */
const char *stamps_open(struct bench *b);
void stamps_renew(struct bench *b);
const char *stamps_check(const struct bench *b);

#endif
