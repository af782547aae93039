// SPDX-License-Identifier: MIT
/*
 * The same question put to the real kernel: how long does move_pages(2) take
 * for base, huge and gigantic pages? All rows take turns in random order in
 * every round, there and back, and every byte and node is checked each time.
 * Here is the command line; moves/ has the rest.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "moves/moves.h"

struct options opt = { .from = -1, .to = -1, .rounds = 16 };

/* clang-format off */
static const char help[] =
"Usage: movepages [OPTION]... [ROW]...\n"
"\n"
"Times move_pages(2) between two NUMA nodes, there and back, and checks the\n"
"node and the whole content of every page after each move.\n"
"\n"
"A ROW is KIND:COUNT, as base:512, huge:1, huge:16 or gigantic:1; with\n"
":mbind behind it mbind(MPOL_MF_MOVE) moves it. With no ROW: base:1,\n"
"base:512, huge:1, huge:16, and gigantic:1 where a 1 GiB page is free on\n"
"both nodes (hugetlb).\n"
"\n"
"  --from=NODE --to=NODE  nodes with memory (the first two)\n"
"  --rounds=N   each row once in each, in random order (16)\n"
"  --live=STEP,STEP,..  each row under each of off, loop, bulk, highpri:N,\n"
"               unbound:N: needs ctools/kmod loaded, and root\n"
"  --ticks      ticks of the TSC in place of ns, for instruction counting\n"
"  --json       all samples, and what /proc/vmstat counted\n"
"  --list       kinds, counters and steps; with --json as JSON\n"
"  --help\n"
"\n"
"Exit status: 0 done, 1 cannot run (one line says why), 2 a copy was wrong.\n";
/* clang-format on */

void leave(int status, const char *format, ...)
{
	va_list args;

	fputs("movepages: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

/* Numbers of the kernel's list format, "0-1,3"; how many were there. */
static unsigned int read_nodes(int *nodes, unsigned int room)
{
	FILE *file = fopen("/sys/devices/system/node/has_memory", "r");
	unsigned int count = 0;
	int first, last;

	while (file && fscanf(file, "%d", &first) == 1) {
		last = first;
		if (fscanf(file, "-%d", &last) != 1)
			last = first;
		for (; first <= last && count < room; first++)
			nodes[count++] = first;
		if (fgetc(file) != ',')
			break;
	}
	if (file)
		fclose(file);
	return count;
}

static void choose_nodes(void)
{
	int nodes[1024];
	unsigned int count = read_nodes(nodes, 1024), known = 0;

	if (count < 2)
		leave(CANNOT,
		      "this machine has one NUMA node with memory, and "
		      "moving pages needs two: 'make kernel-lab' makes some");
	if ((opt.from < 0) != (opt.to < 0))
		leave(CANNOT, "--from and --to: give both, or neither");
	if (opt.to < 0) {
		opt.from = nodes[0];
		opt.to = nodes[1];
	}
	for (unsigned int i = 0; i < count; i++)
		known += (nodes[i] == opt.from) + (nodes[i] == opt.to);
	if (known != 2 || opt.from == opt.to)
		leave(CANNOT,
		      "--from=%d --to=%d: give two nodes of "
		      "/sys/devices/system/node/has_memory",
		      opt.from, opt.to);
}

static void finish_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		leave(CANNOT, "cannot write the output: %s", strerror(errno));
}

static void parse_row(struct row *row, const char *text)
{
	char copy[sizeof(row->name)], *rest = copy, *kind, *count, *call, *end;

	if (strlen(text) >= sizeof(copy))
		leave(CANNOT, "%s: not a row: see --help", text);
	strcpy(copy, text);
	strcpy(row->name, text);
	kind = strsep(&rest, ":");
	count = strsep(&rest, ":");
	call = strsep(&rest, ":");
	row->kind = KIND_BASE;
	while (strcmp(kinds[row->kind].name, kind))
		if (row->kind++ == KIND_GIGANTIC)
			leave(CANNOT,
			      "%s: unknown kind '%s': base, huge or "
			      "gigantic",
			      text, kind);
	row->count = count ? strtoul(count, &end, 10) : 0;
	if (!row->count || row->count > 1 << 20 || *end || *count < '0' ||
	    *count > '9')
		leave(CANNOT, "%s: give a count of 1 or more, as %s:1", text,
		      kind);
	if (call && (strcmp(call, "mbind") || rest))
		leave(CANNOT, "%s: only mbind may follow the count", text);
	row->with_mbind = call != NULL;
}

static unsigned int make_arms(struct arm *arms, struct row *rows,
			      unsigned int row_count)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < row_count; i++) {
		char *steps = opt.live ? strdup(opt.live) : NULL, *step;

		if (opt.live && !steps)
			leave(CANNOT, "not enough memory: take fewer rows");
		do {
			step = steps ? strsep(&steps, ",") : NULL;
			if (count == MOST_ARMS)
				leave(CANNOT,
				      "more than %d rows times steps: take fewer",
				      MOST_ARMS);
			arms[count] = (struct arm){
				.row = &rows[i],
				.live = step,
				.there = calloc(opt.rounds, sizeof(uint64_t)),
				.back = calloc(opt.rounds, sizeof(uint64_t)),
			};
			if (!arms[count].there || !arms[count].back)
				leave(CANNOT,
				      "not enough memory: take fewer "
				      "--rounds");
			count++;
		} while (steps);
	}
	return count;
}

static int parse_number(const char *name, const char *text, int most)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value > most)
		leave(CANNOT, "--%s=%s: give a number up to %d", name, text,
		      most);
	return (int)value;
}

static const struct option long_options[] = {
	{ "from", required_argument, NULL, 'f' },
	{ "to", required_argument, NULL, 't' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "live", required_argument, NULL, 'l' },
	{ "ticks", no_argument, NULL, 'k' },
	{ "json", no_argument, NULL, 'j' },
	{ "list", no_argument, NULL, 'L' },
	{ "help", no_argument, NULL, 'h' },
	{}
};

static void parse_options(int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		switch (option) {
		case 'f':
			opt.from = parse_number("from", optarg, 1023);
			break;
		case 't':
			opt.to = parse_number("to", optarg, 1023);
			break;
		case 'r':
			opt.rounds = (unsigned int)parse_number("rounds",
								optarg, 10000);
			if (!opt.rounds)
				leave(CANNOT,
				      "--rounds=0: nothing to measure: give 1 or more");
			break;
		case 'l':
			check_steps(optarg);
			opt.live = optarg;
			break;
		case 'k':
			opt.ticks = 1;
			break;
		case 'j':
			opt.json = 1;
			break;
		case 'L':
			opt.list = 1;
			break;
		case 'h':
			fputs(help, stdout);
			finish_output();
			exit(0);
		default:
			exit(CANNOT); /* getopt has said why */
		}
}

int main(int argc, char **argv)
{
	static const char *const usual[] = { "base:1", "base:512", "huge:1",
					     "huge:16", "gigantic:1" };
	static struct row rows[MOST_ARMS];
	static struct arm arms[MOST_ARMS];
	unsigned int count = 0;

	parse_options(argc, argv);
	if (opt.list) {
		opt.json ? list_json() : list();
		finish_output();
		return 0;
	}
	choose_nodes();
	for (; optind < argc; optind++) {
		if (count == MOST_ARMS)
			leave(CANNOT, "more than %d rows: take fewer",
			      MOST_ARMS);
		parse_row(&rows[count++], argv[optind]);
	}
	if (!count)
		for (int i = 0; i < 5; i++)
			if (i < 4 ||
			    (free_gigantic(opt.from) > 0 &&
			     free_gigantic(opt.to) > 0))
				parse_row(&rows[count++], usual[i]);
	for (unsigned int i = 0; i < count; i++)
		make_pages(&rows[i]);
	count = make_arms(arms, rows, count);
	if (opt.live)
		put_back_at_end();
	run(arms, count);
	if (opt.json)
		print_json(arms, count);
	else
		print_text(arms, count);
	finish_output();
	return 0;
}
