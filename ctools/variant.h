/* SPDX-License-Identifier: MIT */
#ifndef VARIANT_H
#define VARIANT_H

#include <stddef.h>
#include <stdint.h>

#include "mapcost.h"
#include "primitives.h"
#include "workers.h"

#define VARIANT_NAME_MAX 128

enum strategy {
	STRATEGY_SERIAL,
	STRATEGY_PARALLEL,
	STRATEGY_ALONE, /* no migrator: for victims to be compared with */
	STRATEGY_SCAN,	/* no copy: a look for idle CPUs */
};

/* One call of the copy routine per base page, or one for all. */
enum rule { RULE_PAGE, RULE_BULK };

/* Whether others wrote what a scan reads. */
enum scan { SCAN_HOT, SCAN_WRITTEN };

/* What a sample is the time of. */
enum observe {
	OBSERVE_COPY,	 /* the whole copy */
	OBSERVE_STRETCH, /* one call of it: no reschedule point inside */
	OBSERVE_PHASES,	 /* the whole copy, with a timeline */
};

/* Which CPUs are asked for help. */
enum pick {
	PICK_ANY,
	PICK_IDLE, /* none that is seen to be busy */
};

/* What one work of a list of folios is. */
enum split {
	SPLIT_PARTS,  /* a thread's part of the list */
	SPLIT_FOLIOS, /* one folio */
};

/* Who does which part of a copy. */
enum parts {
	PARTS_FIXED,  /* the nth worker the nth part */
	PARTS_SHARED, /* whoever is free the next one: padata */
};

/* Mistakes of the posted series, to be studied. All off unless asked for. */
enum defect {
	DEFECT_TAIL = 1,  /* what does not divide by threads is dropped */
	DEFECT_EARLY = 2, /* waits for as many works as it has threads */
	DEFECT_ZERO = 4,  /* divides by the CPUs rounded down to even */
};

/* What has been proposed, by the year. */
enum model { MODEL_2017, MODEL_2025, MODEL_PADATA };

/* Where a number comes from that the text may leave to the machine. */
enum threads_from {
	THREADS_ASKED,
	THREADS_EVEN_TO_8, /* as many as CPUs, even, at most 8 */
	THREADS_TO_4,	   /* as many as CPUs, at most 4 */
};

/*
 * One way to copy folios; what a line of output and an arm of a cell is.
 * variant_parse() fills in what the text says, variant_resolve() the rest.
 */
struct variant {
	char name[VARIANT_NAME_MAX]; /* as asked for */
	enum strategy strategy;
	enum rule rule;
	enum scan scan;
	const struct primitive *primitive;
	enum map map;
	int extent_asked, bytes_asked;
	size_t extent;	 /* bytes given to one call; 0: all of a part */
	size_t bytes;	 /* of each folio, from its start */
	double delay_ns; /* asked for, per extent */
	uint64_t delay_loops;
	enum threads_from threads_from;
	struct team team;	/* of one thread when not parallel */
	unsigned int folios;	/* copied by one call of the strategy */
	unsigned int migrators; /* that do this at once */
	enum parts parts;
	size_t chunk;	/* shared out in such pieces; 0: even parts */
	int model_2017; /* whoever asks, the first CPUs help */
	enum split split;
	enum pick pick;
	unsigned int defects;
	enum observe observe;
	unsigned int cpus;	/* that workers may run on */
	unsigned int scan_cpus; /* that a scan looks at */
};

/* Looks in a sample: of hot lines many, for a clock that ticks slowly. */
static inline int scan_looks(const struct variant *v)
{
	return v->scan == SCAN_WRITTEN ? 1 : 64;
}

/* What variants are resolved against: sizes in bytes, and how many CPUs. */
struct limits {
	size_t base, folio;
	unsigned int cpus;
};

/*
 * Parses "STRATEGY:RULE:PRIMITIVE[:KEY=VALUE]...", whatever the machine.
 * Returns NULL, or what is wrong with the text, in one line.
 */
const char *variant_parse(struct variant *v, const char *text);

/* In resolve.c, with the rules. Returns NULL, or what cannot be, in one line. */
const char *variant_resolve(struct variant *v, const struct limits *limits);

/* clang-format off */
enum key {
	KEY_MAP, KEY_DELAY, KEY_EXTENT, KEY_BYTES, KEY_FOLIOS, KEY_MIGRATORS,
	KEY_OBSERVE, KEY_MODEL, KEY_THREADS, KEY_DISPATCH, KEY_CALLER,
	KEY_PARTS, KEY_CHUNK, KEY_PRIORITY, KEY_AFFINITY, KEY_PICK, KEY_DEFECT,
	KEYS
};
/* clang-format on */

enum value_kind { VALUE_WORD, VALUE_SIZE, VALUE_COUNT, VALUE_NS };

struct variant_option {
	const char *key;
	enum value_kind kind;
	const char *const *words; /* the value is an index into them */
	unsigned int most;	  /* of a count, or ns */
	int parallel_only;
	const char *help;
};

/* In variant_table.c; lists of words end with NULL. */
extern const struct variant_option variant_options[KEYS];
extern const char *const strategy_words[], *const rule_words[];
extern const char *const scan_words[], *const value_kind_words[];

/* Those with that parallel_only, as lines of --help. */
void variant_print_help(int parallel_only);

/* "4K", "2M", "1G" or plain bytes; 0 where the text is none of them. */
size_t parse_size(const char *text);

#endif
