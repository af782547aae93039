// SPDX-License-Identifier: MIT
/* The command line over the bench: what a patch can name as its test case. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "samples.h"

#define VERSION		"1.0"

/* Exit codes; --help lists them. */
#define CANNOT		1
#define WRONG_COPY	2

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_VERIFY };

struct options {
	struct cell cell;
	enum output output;
	int list;
	const char *samples;	/* file for what JSON tells, beside the text */
	unsigned int processes;
	int cpus[CPU_SETSIZE];
};

static const char help[] =
"Usage: pagecopy [OPTION]... [VARIANT]...\n"
"\n"
"Copies huge pages in every way that was proposed for page migration and\n"
"says which is faster, by how much, and how sure that is. All variants take\n"
"turns in random order within each round, so that what else happens on the\n"
"machine hits all of them alike. Every copy is verified before it is timed.\n"
"\n"
"A variant is STRATEGY:RULE:PRIMITIVE[:KEY=VALUE]...\n"
"  STRATEGY   serial | parallel\n"
"  RULE       page (one call per base page) | bulk (one call)\n"
"  PRIMITIVE  movsq, movsb, memcpy, ...: see --list\n";

static const char more_help[] =
"Others: alone:bulk:empty is no migrator at all, for victims; scan:hot:64 and\n"
"scan:written:64 look whether 64 CPUs are idle, after nobody or somebody wrote.\n"
"With no variant given, the serial ladder and its parallel counterparts run.\n"
"The first variant is what the others are compared with.\n"
"\n"
"What to do:\n"
"      --list            primitives and map costs, and what is not there\n"
"      --verify          check every byte of every variant, time nothing\n"
"      --json            raw nanoseconds, one object per process\n"
"      --samples=FILE    the same into a file, beside the text\n"
"      --help, --version\n"
"How much:\n"
"      --processes=N     fresh processes, the unit of the interval (20)\n"
"      --rounds=N        interleaved rounds in each process (64)\n"
"      --seed=N          of the order within rounds\n"
"On what:\n"
"      --huge=SIZE       huge page (2M)\n"
"      --base=SIZE       base page (4K)\n"
"      --pairs=N         folios in each pool (so many that it is four times\n"
"                        the last-level cache)\n"
"      --source=STATE    cold | warm before each copy (cold)\n"
"      --destination=STATE\n"
"      --backing=KIND    huge (or fail) | auto (marked when not) | base\n"
"      --source-node=N --destination-node=N   NUMA placement\n"
"      --cpus=LIST       the caller's CPU, then the workers': 0,8,16\n"
"      --load=PERCENT    background load on each of the CPUs: 50, 100, 200 (0)\n"
"      --limit=PERCENT   the caller, but not its workers, in a cgroup that\n"
"                        may use so much of one CPU\n"
"      --pause=US        sleep before each sample (0)\n"
"What is timed, when not the copy:\n"
"      --victim=KIND     integer | l2 | llc | stream | timer on the first\n"
"                        worker's CPU: its time for a unit of work\n"
"      --window=MS --rate=N  how long each look is (30); copies a second (500)\n"
"      --recover=KIND    l2 | llc: a pass over that working set after the copy\n"
"      --energy=FILE,..  counters in uJ, read around each window\n"
"\n"
"Examples:\n"
"  pagecopy\n"
"  pagecopy serial:page:movsq:map=2017 serial:bulk:movsq\n"
"  pagecopy --source=warm serial:bulk:movsb parallel:bulk:movsb:threads=2\n"
"  pagecopy --victim=l2 alone:bulk:empty serial:bulk:movsq \\\n"
"           parallel:bulk:movsq:model=2017\n"
"\n"
"Exit status: 0 done, 1 cannot run (one line says why), 2 a copy was wrong.\n";

__attribute__((noreturn, format(printf, 1, 2)))
static void die(const char *format, ...)
{
	va_list args;

	fputs("pagecopy: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(CANNOT);
}

/* Output that did not arrive is not output: a full disk is an error. */
static void finish_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		die("cannot write the output: %s", strerror(errno));
}

static void list(void)
{
	const struct primitive *p;

	puts("primitives");
	for (unsigned int n = 0; (p = primitive_nth(n)); n++) {
		const char *lacks = primitive_lacks(p);

		printf("  %-10s %s\n", p->name, p->desc);
		if (lacks)
			printf("  %-10s (not on this machine: needs %s)\n", "",
			       lacks);
	}
	puts("map costs, per call");
	for (int m = 0; map_words[m]; m++)
		printf("  %-10s %s\n", map_words[m], map_costs[m].desc);
}

/* The primitive that the kernel's copy_page() is made of. */
static const char *kernels_own(void)
{
	static const char *const known[] = { "movsq", "ldp-stnp" };

	for (unsigned int i = 0; i < 2; i++)
		if (!primitive_lacks(primitive_find(known[i])))
			return known[i];
	return "memcpy";
}

static void list_options(void)
{
	printf("\"options\":[");
	for (int k = 0; k < KEYS; k++) {
		const struct variant_option *o = &variant_options[k];

		printf("%s\n{\"key\":\"%s\",\"value\":\"%s\",\"words\":[",
		       k ? "," : "", o->key, value_kind_words[o->kind]);
		for (int w = 0; o->words && o->words[w]; w++)
			printf("%s\"%s\"", w ? "," : "", o->words[w]);
		printf("],\"help\":\"%s\",\"for\":\"%s\"}", o->help,
		       o->parallel_only ? "parallel" : "every");
	}
	putchar(']');
}

static void list_json(void)
{
	const struct primitive *p;

	printf("{\"copy_page\":\"%s\",\"high_priority\":%s,\"primitives\":{",
	       kernels_own(),
	       priority_allowed(PRIORITY_HIGH) ? "true" : "false");
	for (unsigned int n = 0; (p = primitive_nth(n)); n++) {
		const char *lacks = primitive_lacks(p);

		printf("%s\n\"%s\":{\"description\":\"%s\",\"lacks\":",
		       n ? "," : "", p->name, p->desc);
		printf(lacks ? "\"%s\"}" : "null}", lacks);
	}
	puts("},");
	list_options();
	puts("}");
}

static const char *json_state(int warm)
{
	return warm ? "warm" : "cold";
}

static void json_values(const char *key, const uint64_t *values, size_t count,
			int comma)
{
	printf("%s\"%s\":[", comma ? "," : "", key);
	for (size_t i = 0; i < count; i++)
		printf("%s%" PRIu64, i ? "," : "", values[i]);
	putchar(']');
}

static void json_samples(const char *key, const uint64_t *samples,
			 size_t count)
{
	json_values(key, samples, count, 1);
}

/* That a sample is the time of; of a scan, how many looks. */
static size_t bytes_of(const struct variant *v)
{
	if (v->strategy == STRATEGY_SCAN)
		return (size_t)scan_looks(v);
	return v->bytes * v->folios * copies_of(v);
}

static void json_arm(const struct bench *b, const struct arm *arm)
{
	const struct variant *v = &arm->v;
	size_t rounds = b->cell.rounds;

	/* A victim's time is for a unit of its work, whatever was copied. */
	printf("{\"variant\":\"%s\",\"bytes\":%zu", v->name,
	       b->cell.victim || b->cell.recover ? b->cell.folio : bytes_of(v));
	if (v->delay_ns > 0)
		printf(",\"delay_ns\":%g,\"delay_achieved_ns\":%.2f",
		       v->delay_ns, arm->delay_achieved_ns);
	json_samples("ns", arm->ns, rounds);
	json_samples("caller_cpu_ns", arm->caller_cpu_ns, rounds);
	if (v->strategy == STRATEGY_PARALLEL)
		json_samples("worker_cpu_ns", arm->worker_cpu_ns, rounds);
	for (int i = 0; i < FACTS; i++)
		if (arm->fact[i] >= 0)
			printf(",\"%s\":%" PRId64, fact_names[i],
			       arm->fact[i]);
	printf(",\"channels\":{");
	for (int i = 0, seen = 0; i < CHANNELS; i++)
		if (arm->channel[i].count)
			json_values(channel_names[i], arm->channel[i].at,
				    arm->channel[i].count, seen++);
	fputs("}}", stdout);
}

static void print_json(struct bench *b)
{
	const struct cell *c = &b->cell;

	printf("{\"pagecopy\":\"" VERSION "\",\"compiler\":\"%s\","
	       "\"flags\":\"%s\"", __VERSION__, BUILD_FLAGS);
	printf(",\"base\":%zu,\"huge\":%zu,\"pairs\":%zu,\"rounds\":%u,"
	       "\"seed\":%" PRIu64, c->base, c->folio, c->pairs, c->rounds,
	       c->seed);
	printf(",\"source\":\"%s\",\"destination\":\"%s\"",
	       json_state(c->src_warm), json_state(c->dst_warm));
	printf(",\"source_node\":%d,\"destination_node\":%d", c->src_node,
	       c->dst_node);
	printf(",\"pool_bytes\":%zu,\"source_huge_bytes\":%zu,"
	       "\"destination_huge_bytes\":%zu,\"last_level_cache\":%zu",
	       b->src.bytes, b->src.huge_bytes, b->dst.huge_bytes,
	       last_level_cache());
	printf(",\"cpus\":[");
	for (unsigned int i = 0; i < c->cpu_count; i++)
		printf("%s%d", i ? "," : "", c->cpus[i]);
	printf("],\"victim\":\"%s\",\"victim_bytes\":%zu",
	       victim_names[c->victim ? c->victim : c->recover],
	       victim_bytes(c->victim ? c->victim : c->recover));
	if (b->llc_load_ns > 0)
		printf(",\"llc_load_ns\":%.2f,\"memory_load_ns\":%.2f",
		       b->llc_load_ns, b->memory_load_ns);
	printf(",\"overhead_ns\":%.1f,\"arms\":[", bench_overhead_ns(b));
	for (unsigned int i = 0; i < b->count; i++) {
		if (i)
			putchar(',');
		json_arm(b, &b->arms[i]);
	}
	puts("]}");
}

/* What a process tells about an arm when text is wanted. */
struct summary {
	double log_speedup;	/* median over rounds of ln(first / this) */
	double median_ns;
	double copy_ns;		/* median beside a victim, else 0 */
};

struct report {
	double overhead_ns;
	double huge_share;	/* of the buffers' bytes */
	struct summary arm[];
};

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct summary summarise(const struct bench *b, const struct arm *arm)
{
	const struct arm *first = &b->arms[0];
	unsigned int rounds = b->cell.rounds;
	double logs[rounds];

	/* Per byte: a variant may copy more at a time. */
	for (unsigned int r = 0; r < rounds; r++)
		logs[r] = log((double)first->ns[r] / (double)arm->ns[r]);
	if (!b->cell.victim && !b->cell.recover)
		for (unsigned int r = 0; r < rounds; r++)
			logs[r] += log((double)bytes_of(&arm->v) /
				       (double)bytes_of(&first->v));
	qsort(logs, rounds, sizeof(logs[0]), by_double);
	return (struct summary){
		.log_speedup = (logs[(rounds - 1) / 2] + logs[rounds / 2]) / 2,
		.median_ns = median_ns(arm->ns, rounds),
		.copy_ns = median_ns(arm->channel[CHANNEL_COPY].at,
				     arm->channel[CHANNEL_COPY].count),
	};
}

static void fill_report(struct report *report, struct bench *b)
{
	report->overhead_ns = bench_overhead_ns(b);
	report->huge_share =
		(double)(b->src.huge_bytes + b->dst.huge_bytes) /
		(double)(b->src.bytes + b->dst.bytes);
	for (unsigned int i = 0; i < b->count; i++)
		report->arm[i] = summarise(b, &b->arms[i]);
}

/* The 97.5 % point of Student's t: Cornish-Fisher about the normal's. */
static double t_quantile(double df)
{
	const double z = 1.959963985, z3 = z * z * z, z5 = z3 * z * z;

	if (df < 2)
		return 12.706;
	return z + (z3 + z) / (4 * df) +
	       (5 * z5 + 16 * z3 + 3 * z) / (96 * df * df) +
	       (3 * z5 * z * z + 19 * z5 + 17 * z3 - 15 * z) /
	       (384 * df * df * df);
}

static size_t report_bytes(unsigned int arms)
{
	return sizeof(struct report) + arms * sizeof(struct summary);
}

static const struct report *nth_report(const char *reports, unsigned int arms,
				       unsigned int nth)
{
	return (const void *)(reports + nth * report_bytes(arms));
}

/* Where another mean of count values of that variance should fall. */
static double half_width(double variance, double count, double least_df)
{
	/*
	 * Twice the variance of a mean: the interval is to hold the result of
	 * another run like this one, not just the mean of many.
	 */
	return t_quantile(fmax(count - 1, least_df)) *
	       sqrt(2 * variance / count);
}

static double mean_of(const double *values, unsigned int count)
{
	double mean = 0;

	for (unsigned int i = 0; i < count; i++)
		mean += values[i] / count;
	return mean;
}

/*
 * Processes in a row are alike, as the machine drifts: with that correlation
 * they are as good as fewer (artifact/estimate.py does the same and says why).
 */
static double correlated_half_width(const double *values, unsigned int count)
{
	double mean = mean_of(values, count), total = 0, neighbours = 0;
	double inflation, last = 0;

	for (unsigned int i = 0; i < count; i++) {
		double deviation = values[i] - mean;

		total += deviation * deviation;
		neighbours += deviation * last;
		last = deviation;
	}
	if (total <= 0)
		return 0;
	neighbours /= total;
	neighbours += (1 + 3 * neighbours) / count;	/* Kendall 1954 */
	neighbours = fmin(fmax(neighbours, 0), 0.9);
	inflation = (1 + neighbours) / (1 - neighbours);
	return half_width(total / (count - fmin(inflation, count / 2.0)),
			  fmax(count / inflation, 2), count / 2.0 - 1);
}

/* And the same from the means of five batches in a row; the wider of the two. */
static double repeat_half_width(const double *values, unsigned int count)
{
	enum { BATCHES = 5 };
	double batch[BATCHES], mean, spread = 0;
	double half = correlated_half_width(values, count);
	unsigned int start = 0;

	if (count < 2 * BATCHES)
		return half;
	for (unsigned int b = 0; b < BATCHES; b++) {
		unsigned int size = count / BATCHES + (b < count % BATCHES);

		batch[b] = mean_of(&values[start], size);
		start += size;
	}
	mean = mean_of(batch, BATCHES);
	for (unsigned int b = 0; b < BATCHES; b++)
		spread += (batch[b] - mean) * (batch[b] - mean);
	return fmax(half, half_width(spread / (BATCHES - 1), BATCHES, 1));
}

static double middle_of(const double *sorted, unsigned int count)
{
	return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

/* Or somebody else's work. */
static int times_copies(const struct bench *b)
{
	return !b->cell.victim && !b->cell.recover &&
	       b->arms[0].v.strategy != STRATEGY_SCAN;
}

static void print_line(const struct bench *b, const char *reports,
		       unsigned int processes, unsigned int arm)
{
	const struct variant *v = &b->arms[arm].v;
	double mean, half, ns[processes], logs[processes], copy[processes];
	int copies = times_copies(b);
	double middle;

	for (unsigned int p = 0; p < processes; p++) {
		const struct summary *s =
			&nth_report(reports, b->count, p)->arm[arm];

		logs[p] = s->log_speedup;
		ns[p] = s->median_ns;
		copy[p] = s->copy_ns;
	}
	qsort(ns, processes, sizeof(ns[0]), by_double);
	qsort(copy, processes, sizeof(copy[0]), by_double);
	mean = mean_of(logs, processes);
	middle = middle_of(ns, processes);

	printf("%s\n  %11.*f us", v->name, v->strategy == STRATEGY_SCAN ? 3 : 1,
	       middle / 1e3 /
	       (v->strategy == STRATEGY_SCAN ? scan_looks(v) : 1));
	if (copies && v->observe != OBSERVE_STRETCH)
		printf("  %7.2f GB/s", (double)bytes_of(v) / middle);
	if (v->observe != OBSERVE_STRETCH)
		printf("  %7.3fx", exp(mean));
	if (v->observe != OBSERVE_STRETCH && processes > 1 && arm) {
		half = repeat_half_width(logs, processes);
		printf("  [%.3f, %.3f]", exp(mean - half), exp(mean + half));
	}
	if (middle_of(copy, processes) > 0)
		printf("  a copy %.1f us", middle_of(copy, processes) / 1e3);
	putchar('\n');
}

static double fastest_ns(const char *reports, const struct bench *b,
			 unsigned int processes)
{
	double fastest = INFINITY;

	for (unsigned int p = 0; p < processes; p++)
		for (unsigned int i = 0; i < b->count; i++)
			fastest = fmin(fastest, nth_report(reports, b->count,
							   p)->arm[i].median_ns);
	return fastest;
}

static void print_text(const struct bench *b, const char *reports,
		       unsigned int processes)
{
	const struct cell *c = &b->cell;
	double huge = 1, overhead = 0, fastest;

	for (unsigned int p = 0; p < processes; p++) {
		const struct report *r = nth_report(reports, b->count, p);

		huge = fmin(huge, r->huge_share);
		overhead = fmax(overhead, r->overhead_ns);
	}
	printf("pagecopy " VERSION ": %zu KiB folios of %zu KiB pages, "
	       "source %s, destination %s\n", c->folio >> 10, c->base >> 10,
	       json_state(c->src_warm), json_state(c->dst_warm));
	printf("%u processes x %u rounds, interleaved; huge pages behind "
	       "%.0f %% of the buffers\n", processes, c->rounds,
	       floor(huge * 100));
	puts(times_copies(b) ?
	     "time, throughput, speed-up over the first [95 % of repeats]\n" :
	     c->victim ?
	     "time of a unit of the victim's work, its speed over the first\n"
	     "[95 % of repeats], median time of the migrator's copies\n" :
	     "time of what is timed, speed over the first [95 % of repeats]\n");
	for (unsigned int i = 0; i < b->count; i++)
		print_line(b, reports, processes, i);
	fastest = fastest_ns(reports, b, processes);
	printf("\nA copy of nothing takes %.3f us here: %.3f %% of the fastest "
	       "above.\n", overhead / 1e3, 100 * overhead / fastest);
}

static void verify_all(struct bench *b, enum output output)
{
	for (unsigned int i = 0; i < b->count; i++) {
		const char *wrong = bench_verify(b, &b->arms[i]);

		if (!wrong)
			continue;
		fprintf(stderr, "pagecopy: %s\n", wrong);
		/* A defect that was asked for may be timed, not vouched for. */
		if (!b->arms[i].v.defects || output == OUTPUT_VERIFY)
			exit(WRONG_COPY);
	}
}

static void must(const char *wrong)
{
	if (wrong)
		die("%s", wrong);
}

/* In a child, whose own output nobody reads. */
static void keep_samples(struct bench *b, const char *file)
{
	if (!freopen(file, "a", stdout))
		die("--samples=%s: %s", file, strerror(errno));
	print_json(b);
	finish_output();
}

/* The life of one process; "report" is filled when text is wanted. */
static void measure_once(struct bench *b, const struct options *o,
			 struct report *report)
{
	must(bench_open(b));
	verify_all(b, o->output);
	if (o->output == OUTPUT_VERIFY) {
		for (unsigned int i = 0; i < b->count; i++)
			printf("%s: %s\n", b->arms[i].v.name,
			       copies_bytes(&b->arms[i].v) ?
			       "every byte right" : "nothing to copy");
	} else {
		must(bench_run(b));
		if (o->output == OUTPUT_JSON)
			print_json(b);
		else
			fill_report(report, b);
		if (o->samples)
			keep_samples(b, o->samples);
	}
	must(bench_close(b));
	finish_output();
}

static void read_fully(int fd, void *buffer, size_t bytes)
{
	for (size_t got = 0; got < bytes;) {
		ssize_t n = read(fd, (char *)buffer + got, bytes - got);

		if (n <= 0)
			break;	/* its exit status says why */
		got += (size_t)n;
	}
}

/* A fresh process has fresh memory: it, not the round, is the sample. */
static void measure_in_child(struct bench *b, const struct options *o,
			     struct report *report)
{
	size_t bytes = report_bytes(b->count);
	int fd[2], status;
	pid_t child;

	finish_output();
	if (pipe(fd))
		die("cannot make a pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		die("cannot make a process: %s", strerror(errno));
	if (!child) {
		/* Nobody measures for a parent that is gone. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fd[0]);
		measure_once(b, o, report);
		if (write(fd[1], report, bytes) != (ssize_t)bytes)
			die("cannot hand over the result");
		exit(0);
	}
	close(fd[1]);
	read_fully(fd[0], report, bytes);
	close(fd[0]);
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		die("a measuring process was killed by signal %d%s",
		    WTERMSIG(status), WTERMSIG(status) == 9 ?
		    ": out of memory? take fewer --pairs" : "");
	if (WEXITSTATUS(status))
		exit(WEXITSTATUS(status));
}

static int make_empty(const char *file)
{
	FILE *made = fopen(file, "w");

	return made && !fclose(made);
}

static void measure(struct bench *b, const struct options *o)
{
	size_t bytes = report_bytes(b->count);
	char *reports = calloc(o->processes, bytes);
	uint64_t seed = o->cell.seed;

	if (!reports)
		die("not enough memory: take fewer --processes");
	if (o->samples && !make_empty(o->samples))
		die("--samples=%s: %s", o->samples, strerror(errno));
	for (unsigned int p = 0; p < o->processes; p++) {
		b->cell.seed = seed + p;
		measure_in_child(b, o, (void *)(reports + p * bytes));
	}
	if (o->output == OUTPUT_TEXT)
		print_text(b, reports, o->processes);
	finish_output();
	free(reports);
}

static unsigned long parse_number(const char *option, const char *text,
				  unsigned long least, unsigned long most)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value < least ||
	    value > most)
		die("--%s=%s: give a number from %lu to %lu", option, text,
		    least, most);
	return value;
}

static int parse_state(const char *option, const char *text)
{
	if (strcmp(text, "cold") && strcmp(text, "warm"))
		die("--%s=%s: cold or warm", option, text);
	return !strcmp(text, "warm");
}

static enum backing parse_backing(const char *text)
{
	if (!strcmp(text, "huge"))
		return BACKING_HUGE;
	if (!strcmp(text, "base"))
		return BACKING_BASE;
	if (strcmp(text, "auto"))
		die("--backing=%s: huge, auto or base", text);
	return BACKING_AUTO;
}

static enum victim_kind parse_victim(const char *text)
{
	for (int i = VICTIM_INTEGER; victim_names[i]; i++)
		if (!strcmp(text, victim_names[i]))
			return (enum victim_kind)i;
	die("--victim=%s: integer, l2, llc, stream or timer", text);
}

static enum victim_kind parse_recover(const char *text)
{
	if (strcmp(text, "l2") && strcmp(text, "llc"))
		die("--recover=%s: l2 or llc", text);
	return parse_victim(text);
}

static size_t parse_size_option(const char *option, const char *text)
{
	size_t size = parse_size(text);

	if (!size || size % COPY_ALIGN)
		die("--%s=%s: give a size as 64K or 2M, a multiple of 64",
		    option, text);
	return size;
}

static void allowed_cpus(struct options *o)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		die("cannot read the allowed CPUs: %s", strerror(errno));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			o->cpus[o->cell.cpu_count++] = cpu;
}

static void parse_cpus(struct options *o, char *list)
{
	char *word;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		die("cannot read the allowed CPUs: %s", strerror(errno));
	o->cell.cpu_count = 0;
	while ((word = strsep(&list, ","))) {
		int cpu = (int)parse_number("cpus", word, 0, CPU_SETSIZE - 1);

		if (!CPU_ISSET(cpu, &set))
			die("--cpus: this process may not run on CPU %d", cpu);
		for (unsigned int i = 0; i < o->cell.cpu_count; i++)
			if (o->cpus[i] == cpu)
				die("--cpus: CPU %d is named twice", cpu);
		o->cpus[o->cell.cpu_count++] = cpu;
	}
}

enum {
	OPT_LIST = 1000, OPT_VERIFY, OPT_JSON, OPT_HELP, OPT_VERSION,
	OPT_PROCESSES, OPT_ROUNDS, OPT_SEED, OPT_HUGE, OPT_BASE, OPT_PAIRS,
	OPT_SOURCE, OPT_DESTINATION, OPT_BACKING, OPT_SOURCE_NODE,
	OPT_DESTINATION_NODE, OPT_CPUS, OPT_LOAD, OPT_PAUSE, OPT_VICTIM,
	OPT_WINDOW, OPT_RATE, OPT_RECOVER, OPT_ENERGY, OPT_LIMIT, OPT_SAMPLES,
};

static const struct option long_options[] = {
	{ "list", no_argument, NULL, OPT_LIST },
	{ "verify", no_argument, NULL, OPT_VERIFY },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "samples", required_argument, NULL, OPT_SAMPLES },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "processes", required_argument, NULL, OPT_PROCESSES },
	{ "rounds", required_argument, NULL, OPT_ROUNDS },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "huge", required_argument, NULL, OPT_HUGE },
	{ "base", required_argument, NULL, OPT_BASE },
	{ "pairs", required_argument, NULL, OPT_PAIRS },
	{ "source", required_argument, NULL, OPT_SOURCE },
	{ "destination", required_argument, NULL, OPT_DESTINATION },
	{ "backing", required_argument, NULL, OPT_BACKING },
	{ "source-node", required_argument, NULL, OPT_SOURCE_NODE },
	{ "destination-node", required_argument, NULL, OPT_DESTINATION_NODE },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "load", required_argument, NULL, OPT_LOAD },
	{ "pause", required_argument, NULL, OPT_PAUSE },
	{ "victim", required_argument, NULL, OPT_VICTIM },
	{ "window", required_argument, NULL, OPT_WINDOW },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "recover", required_argument, NULL, OPT_RECOVER },
	{ "energy", required_argument, NULL, OPT_ENERGY },
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{}
};

static void leave_well(void)
{
	finish_output();
	exit(0);
}

static void print_help(void)
{
	fputs(help, stdout);
	variant_print_help(0);
	puts("Of a parallel copy:");
	variant_print_help(1);
	fputs(more_help, stdout);
}

static void parse_options(struct options *o, int argc, char **argv)
{
	struct cell *c = &o->cell;
	int option, index;

	while ((option = getopt_long(argc, argv, "", long_options,
				     &index)) != -1) {
		const char *name;

		if (option == '?')
			exit(CANNOT);	/* getopt has said why */
		name = long_options[index].name;
		switch (option) {
		case OPT_VERIFY: o->output = OUTPUT_VERIFY; break;
		case OPT_JSON: o->output = OUTPUT_JSON; break;
		case OPT_SAMPLES: o->samples = optarg; break;
		case OPT_PROCESSES:
			o->processes = (unsigned int)
				parse_number(name, optarg, 1, 10000);
			break;
		case OPT_ROUNDS:
			c->rounds = (unsigned int)
				parse_number(name, optarg, 1, 100000);
			break;
		case OPT_SEED:
			c->seed = parse_number(name, optarg, 0, UINT32_MAX);
			break;
		case OPT_HUGE:
			c->folio = parse_size_option(name, optarg);
			break;
		case OPT_BASE:
			c->base = parse_size_option(name, optarg);
			break;
		case OPT_PAIRS:
			c->pairs = parse_number(name, optarg, 1, 1 << 20);
			break;
		case OPT_SOURCE:
			c->src_warm = parse_state(name, optarg);
			break;
		case OPT_DESTINATION:
			c->dst_warm = parse_state(name, optarg);
			break;
		case OPT_BACKING: c->backing = parse_backing(optarg); break;
		case OPT_SOURCE_NODE:
			c->src_node = (int)parse_number(name, optarg, 0, 1023);
			break;
		case OPT_DESTINATION_NODE:
			c->dst_node = (int)parse_number(name, optarg, 0, 1023);
			break;
		case OPT_CPUS: parse_cpus(o, optarg); break;
		case OPT_LOAD:
			c->load_percent = (unsigned int)
				parse_number(name, optarg, 0, 1000);
			break;
		case OPT_PAUSE:
			c->pause_us = (unsigned int)
				parse_number(name, optarg, 0, 1000000);
			break;
		case OPT_VICTIM: c->victim = parse_victim(optarg); break;
		case OPT_WINDOW:
			c->window_ms = (unsigned int)
				parse_number(name, optarg, 1, 10000);
			break;
		case OPT_RATE:
			c->rate = (unsigned int)
				parse_number(name, optarg, 1, 1000000);
			break;
		case OPT_RECOVER: c->recover = parse_recover(optarg); break;
		case OPT_ENERGY: c->energy = optarg; break;
		case OPT_LIMIT:
			c->limit_percent = (unsigned int)
				parse_number(name, optarg, 1, 100);
			break;
		case OPT_LIST: o->list = 1; break;
		case OPT_HELP:
			print_help();
			leave_well();
			break;
		case OPT_VERSION:
			puts("pagecopy " VERSION);
			leave_well();
		}
	}
}

/* Each pool alone holds four times what the caches can keep. */
static size_t default_pairs(size_t folio)
{
	size_t cache = last_level_cache();

	if (!cache)
		cache = 64 << 20;
	return (4 * cache - 1) / folio + 1;
}

static void check_cell(const struct cell *c)
{
	if (c->folio % c->base)
		die("--base=%zu does not divide --huge=%zu", c->base, c->folio);
	if (c->victim && c->recover)
		die("give --victim or --recover, not both");
	if (c->victim && (uint64_t)c->rate * c->window_ms < 1000)
		die("--rate=%u: not one copy in a --window=%u", c->rate,
		    c->window_ms);
	if (c->energy && !c->victim)
		die("--energy is read around the windows of a --victim");
	if (c->energy && !energy_readable(c->energy))
		die("--energy=%s: give files that can be read, 16 at the most",
		    c->energy);
}

static void check_variant(const struct options *o, const struct variant *v)
{
	const struct cell *c = &o->cell;
	const char *lacks = primitive_lacks(v->primitive);
	unsigned int cpus = c->cpu_count;

	if (lacks)
		die("%s: cannot run here: needs %s", v->name, lacks);
	/* Bytes can be checked with any number, time only with CPUs enough. */
	if (v->team.threads > cpus && o->output != OUTPUT_VERIFY)
		die("%s: more threads than CPUs: this process may run on %u",
		    v->name, cpus);
	if (v->scan == SCAN_WRITTEN && cpus < 2)
		die("%s: nobody can write: this process may run on one CPU",
		    v->name);
	if (v->team.priority == PRIORITY_HIGH &&
	    !priority_allowed(PRIORITY_HIGH))
		die("%s: cannot run here: nice -20 needs CAP_SYS_NICE or "
		    "ulimit -e 40", v->name);
	if ((c->victim || c->recover) && v->migrators > 1)
		die("%s: migrators= goes neither with --victim nor with "
		    "--recover", v->name);
	if (v->strategy == STRATEGY_SCAN &&
	    (c->victim || c->recover || c->limit_percent))
		die("%s: a scan goes with no --victim, --recover or --limit",
		    v->name);
	if (v->strategy == STRATEGY_ALONE && !c->victim && !c->recover &&
	    o->output != OUTPUT_VERIFY)
		die("%s: nothing to time without --victim or --recover",
		    v->name);
}

/* Once all variants are known: pools hold the largest batch, or were asked. */
static void check_pools(struct bench *b)
{
	struct cell *c = &b->cell;
	int asked = c->pairs != 0;

	if (!asked)
		c->pairs = default_pairs(c->folio);
	for (unsigned int i = 0; i < b->count; i++) {
		const struct variant *v = &b->arms[i].v;

		size_t need = (size_t)v->folios * copies_of(v);

		if ((v->strategy == STRATEGY_SCAN) !=
		    (b->arms[0].v.strategy == STRATEGY_SCAN))
			die("%s: a scan is compared with scans only", v->name);

		if (need > c->pairs && asked)
			die("%s: more folios than --pairs=%zu", v->name,
			    c->pairs);
		if (need > c->pairs)
			c->pairs = need;
	}
	if (c->pairs > SIZE_MAX / 4 / c->folio)
		die("not enough memory: take fewer --pairs or a smaller --huge");
}

static void add_arm(struct bench *b, const struct options *o, const char *text)
{
	const struct limits limits = { b->cell.base, b->cell.folio,
				       b->cell.cpu_count };
	struct variant v;
	const char *wrong = variant_parse(&v, text);

	if (!wrong)
		wrong = variant_resolve(&v, &limits);
	if (wrong)
		die("%s: %s", text, wrong);
	check_variant(o, &v);
	b->arms[b->count] = (struct arm){ .v = v };
	for (int i = 0; i < FACTS; i++)
		b->arms[b->count].fact[i] = -1;
	b->count++;
}

static void add_default_arms(struct bench *b, const struct options *o)
{
	static const char *const serial[] = {
		"serial:page:%s:map=2017", "serial:page:%s:map=2026",
		"serial:page:%s", "serial:bulk:%s",
	};
	static const char *const parallel[] = {
		"parallel:page:%s:map=2017:threads=%u",
		"parallel:bulk:%s:threads=%u",
		"parallel:bulk:%s:threads=%u:dispatch=spawn:caller=waits",
	};
	unsigned int threads = b->cell.cpu_count < 8 ? b->cell.cpu_count : 8;
	char text[VARIANT_NAME_MAX];

	for (unsigned int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), serial[i], kernels_own());
		add_arm(b, o, text);
	}
	for (unsigned int i = 0; i < 3 && threads > 1; i++) {
		snprintf(text, sizeof(text), parallel[i], kernels_own(),
			 threads);
		add_arm(b, o, text);
	}
}

/* --verify with no variant named: every primitive, each strategy and rule. */
static void add_arms_to_verify(struct bench *b, const struct options *o)
{
	const struct primitive *p;
	char text[VARIANT_NAME_MAX];

	for (unsigned int n = 0; (p = primitive_nth(n)); n++) {
		if (primitive_lacks(p) || !strcmp(p->name, "empty"))
			continue;
		for (int parallel = 0; parallel < 2; parallel++)
			for (int bulk = 0; bulk < 2; bulk++) {
				snprintf(text, sizeof(text), "%s:%s:%s",
					 parallel ? "parallel" : "serial",
					 bulk ? "bulk" : "page", p->name);
				if (parallel)
					snprintf(text + strlen(text), 24,
						 ":threads=%u",
						 b->cell.cpu_count);
				add_arm(b, o, text);
			}
	}
}

int main(int argc, char **argv)
{
	static struct options o = {
		.cell = { .base = 4096, .folio = 2 << 20, .rounds = 64,
			  .seed = 1, .src_node = -1, .dst_node = -1,
			  .window_ms = 30, .rate = 500 },
		.processes = 20,
	};
	struct bench b = {};

	allowed_cpus(&o);
	parse_options(&o, argc, argv);
	if (o.list) {
		if (o.output == OUTPUT_JSON)
			list_json();
		else
			list();
		finish_output();
		return 0;
	}
	check_cell(&o.cell);
	o.cell.cpus = o.cpus;
	b.cell = o.cell;
	b.arms = calloc((size_t)(argc - optind) + 256, sizeof(*b.arms));
	if (!b.arms)
		die("not enough memory");
	for (int i = optind; i < argc; i++)
		add_arm(&b, &o, argv[i]);
	if (!b.count && o.output == OUTPUT_VERIFY)
		add_arms_to_verify(&b, &o);
	else if (!b.count)
		add_default_arms(&b, &o);
	check_pools(&b);

	if (o.output == OUTPUT_VERIFY)
		measure_once(&b, &o, NULL);
	else
		measure(&b, &o);
	free(b.arms);
	return 0;
}
