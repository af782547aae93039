/* SPDX-License-Identifier: MIT */
#ifndef PAGECOPY_H
#define PAGECOPY_H

#include "bench.h"

#define VERSION "1.0"

/* Exit codes; --help lists them. */
#define CANNOT	   1
#define WRONG_COPY 2

#define MOST_CPUS  1024

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_MARKDOWN, OUTPUT_VERIFY };

/* What the command line says. */
struct options {
	struct cell cell;
	enum output output;
	int list, explain;
	int assumes_cpus;
	unsigned int assumed_cpus; /* only where assumes_cpus */
	const char *samples; /* file for what JSON tells, beside the text */
	unsigned int processes;
	int cpus[MOST_CPUS];
	char **words; /* all of it, ends with NULL */
};

/* One line on stderr, and CANNOT. */
void die(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));
/* Output that did not arrive is not output: a full disk is an error. */
void finish_output(void);

/* arms.c: the variants of the command line, or those that run without any. */
void add_arms(struct bench *b, const struct options *o, char **texts);
void check_pools(struct bench *b);

/* list.c: what there is. */
void list(void);
void list_json(void);
/* What copied in migration then, copy_page(), and now, folio_mc_copy(). */
const char *kernels_own_then(void);
const char *kernels_own_now(void);

/* explain.c: what variants come down to. */
void explain(const struct bench *b);
void explain_json(const struct bench *b);
void json_resolved(const struct variant *v);

/* json.c: every sample of one process. */
void print_json(const struct bench *b);
const char *state_word(int warm);

/* processes.c: what is asked for, in as many processes. */
void measure(struct bench *b, const struct options *o);
void verify(struct bench *b);

/* summary.c: what a process hands over when text is wanted, and the text. */
struct report;
size_t report_bytes(unsigned int arms);
void fill_report(struct report *report, const struct bench *b);
void print_text(const struct bench *b, const char *reports,
		unsigned int processes);

/* What is told of an arm; 0, or NULL, for what is not. */
struct row {
	const char *variant;
	int decimals; /* of us */
	double us, gb_per_s, speedup;
	double low, high; /* of the speed-up in 95 % of repeats */
	const char *word; /* for the speed-up; NULL: no interval */
	double copy_us;	  /* beside a victim */
};

struct row row_of(const struct bench *b, const char *reports,
		  unsigned int processes, unsigned int arm);
/* Of all buffers in all processes, the smallest share. */
double huge_percent(const struct bench *b, const char *reports,
		    unsigned int processes);
void print_overhead(const struct bench *b, const char *reports,
		    unsigned int processes);

/* markdown.c: the same to be pasted into a mail. */
void print_markdown(const struct bench *b, const char *reports,
		    const struct options *o);

#endif
