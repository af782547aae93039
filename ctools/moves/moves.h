/* SPDX-License-Identifier: MIT */
#ifndef MOVES_H
#define MOVES_H

#include "../buffers.h"

/* Exit codes; --help lists them. */
#define CANNOT	   1
#define WRONG_COPY 2

/* What the command line says. */
struct options {
	int from, to, json, list, ticks;
	unsigned int rounds;
	char *live; /* steps with commas between, NULL: the kernel as it is */
};

extern struct options opt;

/* One line on stderr, and that status. */
void leave(int status, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

enum kind { KIND_BASE, KIND_HUGE, KIND_GIGANTIC, KINDS };

struct page_kind {
	const char *name;
	size_t bytes;
};

extern const struct page_kind kinds[KINDS];

/* Pages of one kind that are moved together. */
struct row {
	char name[48];
	enum kind kind;
	size_t count;
	int with_mbind;
	struct pool pool;
	void **pages;
	int *nodes, *status;
};

/* rows.c: pages, and their moves, each of which is checked. */
void make_pages(struct row *row);
/* Returns what it took, in ns or ticks, never 0. */
uint64_t move(struct row *row, int from, int to);
/* Pages of 1 GiB that are free in hugetlb's pool of a node; -1: unknown. */
long free_gigantic(int node);

/* What the kernel counts: /proc/vmstat. */
#define COUNTERS 5
extern const char *const counters[COUNTERS + 1]; /* end with NULL */

/* A row under one way to copy, and its samples, there and back. */
struct arm {
	struct row *row;
	const char *live; /* the step; NULL: nothing is put in place */
	uint64_t *there, *back;
	uint64_t counted[COUNTERS];
};

#define MOST_ARMS 64

/* round.c: all arms in turn. */
void run(struct arm *arms, unsigned int count);

/* What the module can put in the place of the kernel's copy. */
struct live_step {
	const char *step, *desc;
};

extern const struct live_step live_steps[]; /* end with an empty one */

/* live.c: leaves with one line where a list names what is no step. */
void check_steps(const char *list);
void set_live(const char *step);
/* Leaves where no move went through the step since it was set. */
void check_live(const char *step);
/* From now on the kernel has its own copy back at any end but SIGKILL's. */
void put_back_at_end(void);

/* show.c */
void print_text(const struct arm *arms, unsigned int count);
void print_json(const struct arm *arms, unsigned int count);
void list(void);
void list_json(void);

#endif
