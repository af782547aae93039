// SPDX-License-Identifier: MIT
/*
 * The same question put to the real kernel: how long does move_pages(2) take
 * for base, huge and gigantic pages? All rows take turns in random order in
 * every round, there and back, and every byte and node is checked each time.
 * Long, but all there is in a small virtual machine beside buffers.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "buffers.h"
#include "clock.h"
#include "random.h"

#define CANNOT	     1
#define WRONG_COPY   2
#define MPOL_MF_MOVE 2
#define MAP_HUGE_1GB (30 << 26)
#define MOST_ARMS    64
#define LIVE	     "/sys/kernel/debug/pagecopy/live"

enum kind { KIND_BASE, KIND_HUGE, KIND_GIGANTIC };

static const struct {
	const char *name;
	size_t bytes;
} kinds[] = {
	[KIND_BASE] = { "base", 4096 },
	[KIND_HUGE] = { "huge", 2ul << 20 },
	[KIND_GIGANTIC] = { "gigantic", 1ul << 30 },
};

/* What the kernel counts, before and after: /proc/vmstat. */
static const char *const counters[] = {
	"pgmigrate_success",  "pgmigrate_fail",	     "thp_migration_success",
	"thp_migration_fail", "thp_migration_split", NULL,
};
#define COUNTERS 5

/* What the module can put in the place of the kernel's copy. */
static const struct {
	const char *step, *desc;
} live_steps[] = {
	{ "off", "the unpatched kernel" },
	{ "loop", "the kernel's loop, in the module" },
	{ "bulk", "one bulk copy" },
	{ "highpri:N", "N worker(s), system_highpri_wq" },
	{ "unbound:N", "N worker(s), system_unbound_wq" },
};
#define LIVE_STEPS (sizeof(live_steps) / sizeof(live_steps[0]))

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

/* A row under one way to copy, and its samples, there and back. */
struct arm {
	struct row *row;
	const char *live; /* written to LIVE first; NULL: nothing */
	uint64_t *there, *back;
	uint64_t counted[COUNTERS];
};

static struct options {
	int from, to, json, list, ticks;
	unsigned int rounds;
	char *live;
} opt = { .from = -1, .to = -1, .rounds = 16 };

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

static void leave(int status, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

static void leave(int status, const char *format, ...)
{
	va_list args;

	fputs("movepages: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

static uint64_t now(void)
{
#ifdef __x86_64__
	if (opt.ticks)
		return __builtin_ia32_rdtsc();
#endif
	return now_ns();
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

static long read_long(const char *path)
{
	FILE *file = fopen(path, "r");
	long value = -1;

	if (file && fscanf(file, "%ld", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

/* Pages of 1 GiB that are free in hugetlb's pool of a node. */
static long free_gigantic(int node)
{
	char path[128];

	snprintf(path, sizeof(path),
		 "/sys/devices/system/node/node%d/hugepages"
		 "/hugepages-1048576kB/free_hugepages",
		 node);
	return read_long(path);
}

static void read_counters(uint64_t *values)
{
	FILE *file = fopen("/proc/vmstat", "r");
	char name[64];
	uint64_t value;

	memset(values, 0, COUNTERS * sizeof(*values));
	while (file && fscanf(file, "%63s %" SCNu64, name, &value) == 2)
		for (int i = 0; counters[i]; i++)
			if (!strcmp(name, counters[i]))
				values[i] = value;
	if (file)
		fclose(file);
}

static void bind_range(const struct pool *pool, int node, unsigned int flags)
{
	if (bind_to_node(pool->start, pool->bytes, node, flags))
		leave(CANNOT, "mbind to node %d: %s", node, strerror(errno));
}

static void make_gigantic(struct row *row)
{
	struct pool *pool = &row->pool;

	pool->bytes = row->count * kinds[KIND_GIGANTIC].bytes;
	pool->start = mmap(NULL, pool->bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
				   MAP_HUGE_1GB | MAP_NORESERVE,
			   -1, 0);
	if (pool->start == MAP_FAILED ||
	    free_gigantic(opt.from) < (long)row->count ||
	    free_gigantic(opt.to) < (long)row->count)
		leave(CANNOT,
		      "%s: needs %zu free 1 GiB pages on both nodes: "
		      "hugepagesz=1G hugepages=%d:%zu,%d:%zu on the kernel's "
		      "command line",
		      row->name, row->count, opt.from, row->count, opt.to,
		      row->count);
	bind_range(pool, opt.from, 0);
	for (size_t off = 0; off < pool->bytes; off += 4096)
		((volatile char *)pool->start)[off] = 1;
}

/* Base pages behind what is to be base pages, and huge ones likewise. */
static void make_pool(struct row *row)
{
	int huge = row->kind == KIND_HUGE;

	switch (pool_create(&row->pool, row->count * kinds[row->kind].bytes,
			    huge ? BACKING_HUGE : BACKING_BASE, opt.from)) {
	case POOL_IS_THERE:
		break;
	case POOL_NO_MEMORY:
		leave(CANNOT, "%s: not enough memory: take fewer pages",
		      row->name);
	case POOL_NO_NODE:
		leave(CANNOT,
		      "%s: cannot place memory on node %d: take another",
		      row->name, opt.from);
	case POOL_NOT_HUGE:
		leave(CANNOT,
		      "%s: no huge pages behind it: set "
		      "/sys/kernel/mm/transparent_hugepage/enabled to madvise, "
		      "or take base rows only",
		      row->name);
	}
	if (!huge && row->pool.huge_bytes)
		leave(CANNOT,
		      "%s: huge pages behind what is to be base pages: set "
		      "/sys/kernel/mm/transparent_hugepage/enabled to madvise",
		      row->name);
}

static void make_pages(struct row *row)
{
	size_t each = kinds[row->kind].bytes;

	if (row->kind == KIND_GIGANTIC)
		make_gigantic(row);
	else
		make_pool(row);
	fill_unique(&row->pool);
	row->pages = calloc(row->count, sizeof(*row->pages));
	row->nodes = calloc(row->count, sizeof(*row->nodes));
	row->status = calloc(row->count, sizeof(*row->status));
	if (!row->pages || !row->nodes || !row->status)
		leave(CANNOT, "%s: not enough memory: take fewer pages",
		      row->name);
	for (size_t i = 0; i < row->count; i++)
		row->pages[i] = row->pool.start + i * each;
}

/* How many pages are not on a node. */
static size_t elsewhere(struct row *row, int node)
{
	size_t count = 0;

	if (syscall(SYS_move_pages, 0, row->count, row->pages, NULL,
		    row->status, 0))
		leave(CANNOT, "%s: move_pages: %s", row->name, strerror(errno));
	for (size_t i = 0; i < row->count; i++)
		count += row->status[i] != node;
	return count;
}

static void check_content(struct row *row)
{
	const uint64_t *word = (const uint64_t *)row->pool.start;

	for (size_t i = 0; i < row->pool.bytes / 8; i++)
		if (word[i] != unique_word(i))
			leave(WRONG_COPY,
			      "%s: wrong content at byte %zu of "
			      "%zu",
			      row->name, 8 * i, row->pool.bytes);
}

/* Split on the way, huge pages would be cheaper to move the next time. */
static void check_kind(struct row *row)
{
	size_t huge;

	if (row->kind != KIND_HUGE)
		return;
	huge = pool_huge_bytes(&row->pool);
	if (huge != row->pool.bytes)
		leave(CANNOT,
		      "%s: huge pages were split on the way: %zu of "
		      "%zu bytes are left",
		      row->name, huge, row->pool.bytes);
}

/* Returns what it took; pages may have stayed behind. */
static uint64_t try_to_move(struct row *row, int node)
{
	uint64_t start;

	for (size_t i = 0; i < row->count; i++)
		row->nodes[i] = node;
	start = now();
	if (row->with_mbind)
		bind_range(&row->pool, node, MPOL_MF_MOVE);
	else if (syscall(SYS_move_pages, 0, row->count, row->pages, row->nodes,
			 row->status, MPOL_MF_MOVE) < 0)
		leave(CANNOT, "%s: move_pages to node %d: %s", row->name, node,
		      strerror(errno));
	start = now() - start;
	return start ? start : 1;
}

static uint64_t move(struct row *row, int from, int node)
{
	uint64_t took = try_to_move(row, node);
	size_t left = elsewhere(row, node);

	/* Somebody else may hold a page for a moment: all of it again. */
	for (int again = 0; left && again < 5; again++) {
		try_to_move(row, from);
		took = try_to_move(row, node);
		left = elsewhere(row, node);
	}
	if (left)
		leave(CANNOT,
		      "%s: %zu of %zu pages did not come to node %d: "
		      "is it full, or something else compacting memory?",
		      row->name, left, row->count, node);
	check_content(row);
	check_kind(row);
	return took;
}

static void set_live(const char *step)
{
	static const char *current = "";
	int fd;

	if (!strcmp(step, current))
		return;
	current = step;
	fd = open(LIVE, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		leave(CANNOT,
		      "--live=%s: %s: %s: is ctools/kmod loaded, and "
		      "are you root?",
		      step, LIVE, strerror(errno));
	if (write(fd, step, strlen(step)) < 0)
		leave(CANNOT,
		      "--live=%s: the kernel refuses: %s: off, loop, "
		      "bulk, highpri:N or unbound:N; and is sysctl "
		      "kernel.ftrace_enabled 1?",
		      step, strerror(errno));
	close(fd);
}

/* A step that no move went through would be measured as what it is not. */
static void check_live(const char *step)
{
	long folios = 0, pages = 0;
	FILE *file;

	if (!strcmp(step, "off"))
		return;
	file = fopen(LIVE, "r");
	if (file &&
	    fscanf(file, "%*[^,], folios %ld, base pages %ld", &folios,
		   &pages) != 2)
		folios = pages = 0;
	if (file)
		fclose(file);
	if (folios + pages == 0)
		leave(CANNOT,
		      "--live=%s: this kernel's migration does not go "
		      "through what was replaced",
		      step);
}

/* The next move is to be the kernel's own, unless SIGKILL ends this. */
static void put_back(void)
{
	int fd = open(LIVE, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "off", 3);
	close(fd);
}

static void put_back_and_die(int number)
{
	put_back();
	_exit(128 + number);
}

static void run_arm(struct arm *arm, unsigned int round, int keep)
{
	uint64_t before[COUNTERS], after[COUNTERS], there, back;

	if (arm->live)
		set_live(arm->live);
	/* What the move before left to do for others is done meanwhile. */
	sleep_ns(20000000);
	read_counters(before);
	there = move(arm->row, opt.from, opt.to);
	back = move(arm->row, opt.to, opt.from);
	read_counters(after);
	if (arm->live)
		check_live(arm->live);
	if (!keep)
		return;
	arm->there[round] = there;
	arm->back[round] = back;
	for (int i = 0; i < COUNTERS; i++)
		arm->counted[i] += after[i] - before[i];
}

static void run(struct arm *arms, unsigned int count)
{
	unsigned int order[MOST_ARMS];
	uint64_t state = 1;

	for (unsigned int i = 0; i < count; i++) {
		order[i] = i;
		run_arm(&arms[i], 0, 0); /* once unmeasured */
	}
	for (unsigned int round = 0; round < opt.rounds; round++) {
		shuffle(order, count, random_of_moves, &state);
		for (unsigned int i = 0; i < count; i++)
			run_arm(&arms[order[i]], round, 1);
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double median(const uint64_t *values)
{
	uint64_t sorted[opt.rounds];

	memcpy(sorted, values, sizeof(sorted));
	qsort(sorted, opt.rounds, sizeof(sorted[0]), by_value);
	return (double)(sorted[(opt.rounds - 1) / 2] + sorted[opt.rounds / 2]) /
		2;
}

static void print_name(const struct arm *arm)
{
	printf("%s%s%s", arm->row->name, arm->live ? ":live=" : "",
	       arm->live ? arm->live : "");
}

static void print_text(const struct arm *arms, unsigned int count)
{
	const char *unit = opt.ticks ? "ticks" : "us";
	double scale = opt.ticks ? 1 : 1e3;

	printf("move_pages(2), median of %u rounds, every page checked\n\n"
	       "row                     node %d > %d              node %d > %d\n",
	       opt.rounds, opt.from, opt.to, opt.to, opt.from);
	for (unsigned int i = 0; i < count; i++) {
		const struct arm *arm = &arms[i];
		double there = median(arm->there), back = median(arm->back);

		print_name(arm);
		printf("\n  %20.1f %s", there / scale, unit);
		if (!opt.ticks)
			printf(" %6.2f GB/s",
			       (double)arm->row->pool.bytes / there);
		printf("  %12.1f %s", back / scale, unit);
		if (!opt.ticks)
			printf(" %6.2f GB/s",
			       (double)arm->row->pool.bytes / back);
		putchar('\n');
	}
}

static void json_values(const char *key, const uint64_t *values)
{
	printf(",\"%s\":[", key);
	for (unsigned int i = 0; i < opt.rounds; i++)
		printf("%s%" PRIu64, i ? "," : "", values[i]);
	putchar(']');
}

static void print_json(const struct arm *arms, unsigned int count)
{
	printf("{\"unit\":\"%s\",\"from\":%d,\"to\":%d,\"rounds\":%u,\"arms\":[",
	       opt.ticks ? "ticks" : "ns", opt.from, opt.to, opt.rounds);
	for (unsigned int i = 0; i < count; i++) {
		printf("%s\n{\"arm\":\"", i ? "," : "");
		print_name(&arms[i]);
		printf("\",\"bytes\":%zu", arms[i].row->pool.bytes);
		json_values("there", arms[i].there);
		json_values("back", arms[i].back);
		for (int c = 0; counters[c]; c++)
			printf(",\"%s\":%" PRIu64, counters[c],
			       arms[i].counted[c]);
		putchar('}');
	}
	puts("\n]}");
}

static void finish_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		leave(CANNOT, "cannot write the output: %s", strerror(errno));
}

static void list(void)
{
	puts("kinds of pages");
	for (int k = KIND_BASE; k <= KIND_GIGANTIC; k++)
		printf("  %-10s %zu bytes\n", kinds[k].name, kinds[k].bytes);
	puts("counters of /proc/vmstat");
	for (int c = 0; counters[c]; c++)
		printf("  %s\n", counters[c]);
	puts("steps of --live");
	for (size_t i = 0; i < LIVE_STEPS; i++)
		printf("  %-10s %s\n", live_steps[i].step, live_steps[i].desc);
}

static void list_json(void)
{
	printf("{\"kinds\":{");
	for (int k = KIND_BASE; k <= KIND_GIGANTIC; k++)
		printf("%s\"%s\":%zu", k ? "," : "", kinds[k].name,
		       kinds[k].bytes);
	printf("},\n\"counters\":[");
	for (int c = 0; counters[c]; c++)
		printf("%s\"%s\"", c ? "," : "", counters[c]);
	printf("],\n\"live\":[");
	for (size_t i = 0; i < LIVE_STEPS; i++)
		printf("%s\n{\"step\":\"%s\",\"description\":\"%s\"}",
		       i ? "," : "", live_steps[i].step, live_steps[i].desc);
	puts("]}");
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
			if (step && !*step)
				leave(CANNOT,
				      "--live=%s: a step is empty: --list "
				      "names them",
				      opt.live);
			if (count == MOST_ARMS)
				leave(CANNOT, "more than %d rows times steps",
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
				leave(CANNOT, "--rounds=0: nothing to measure");
			break;
		case 'l':
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
			leave(CANNOT, "more than %d rows", MOST_ARMS);
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
	if (opt.live) {
		atexit(put_back);
		signal(SIGINT, put_back_and_die);
		signal(SIGTERM, put_back_and_die);
		signal(SIGHUP, put_back_and_die);
	}
	run(arms, count);
	if (opt.json)
		print_json(arms, count);
	else
		print_text(arms, count);
	finish_output();
	return 0;
}
