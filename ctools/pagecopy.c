// SPDX-License-Identifier: MIT
/*
 * The command line over the bench: what a patch can name as its test case.
 * Long, as one table of options and the text around it should not be cut.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "energy.h"
#include "pagecopy.h"
#include "words.h"

/* clang-format off */
static const char usage[] =
"Usage: pagecopy [OPTION]... [VARIANT]...\n"
"\n"
"Copies huge pages in every way that was proposed for page migration and\n"
"says which is faster, by how much, and how certain that is. All variants take\n"
"turns in random order within each round, so drift affects all of them\n"
"equally. Every copy is verified before it is timed, and the pools at the end.\n"
"\n"
"A variant is STRATEGY:RULE:PRIMITIVE[:KEY=VALUE]...\n"
"  STRATEGY   serial | parallel\n"
"  RULE       page (one call per base page) | bulk (one call)\n"
"  PRIMITIVE  movsq, movsb, libc, ...: see --list\n";

static const char others[] =
"Others: alone:bulk:empty is no migrator at all, for victims; scan:hot:64 and\n"
"scan:written:64 look whether 64 CPUs are idle, after nobody or somebody wrote.\n"
"With no variant given, the copy loop that kernels have now runs against that of\n"
"2017, and against what migration could do instead: see --explain.\n"
"The first variant is what the others are compared with.\n"
"\n";

static const char examples[] =
"\n"
"Examples:\n"
"  pagecopy\n"
"  pagecopy serial:page:movsq:map=2017 serial:bulk:movsq\n"
"  pagecopy --source=warm serial:bulk:movsb parallel:bulk:movsb:threads=2\n"
"  pagecopy --victim=l2 alone:bulk:empty serial:bulk:movsq \\\n"
"           parallel:bulk:movsq:model=2017\n"
"\n"
"Exit status: 0 done, 1 cannot run (one line says why), 2 a copy was wrong.\n";
/* clang-format on */

/* What kind of value an option has. */
enum kind { NONE, NUMBER, SIZE, WORD, VICTIM, CHASE, TEXT };

/* clang-format off */
enum id {
	OPT_LIST, OPT_EXPLAIN, OPT_VERIFY, OPT_JSON, OPT_SAMPLES,
	OPT_MARKDOWN, OPT_HELP, OPT_VERSION, OPT_PROCESSES, OPT_ROUNDS, OPT_SEED, OPT_HUGE, OPT_BASE,
	OPT_PAIRS, OPT_SOURCE, OPT_DESTINATION, OPT_BACKING, OPT_SOURCE_NODE,
	OPT_DESTINATION_NODE, OPT_CPUS, OPT_ASSUME_CPUS, OPT_LOAD, OPT_LIMIT,
	OPT_PAUSE, OPT_VICTIM, OPT_WINDOW, OPT_RATE, OPT_RECOVER,
	OPT_RECOVER_ON, OPT_READER, OPT_ENERGY,
	OPTIONS
};
/* clang-format on */

static const char *const state_words[] = { "cold", "warm", NULL };
static const char *const cpu_words[] = { "caller", "worker", NULL };
static const char *const backing_words[] = { "huge", "auto", "base", NULL };
static const enum backing backings[] = {
	BACKING_HUGE,
	BACKING_AUTO,
	BACKING_BASE,
};

/* clang-format off */
/* Parses, is handed to getopt and prints its part of --help. */
static const struct entry {
	const char *name;
	int argument;
	enum kind kind;
	const char *value;	/* what --help calls it; not of words */
	unsigned long least, most;	/* of a number */
	const char *const *words;
	const char *help;
	const char *heading;	/* in --help before this one */
} entries[OPTIONS] = {
	[OPT_LIST] = { "list", no_argument, NONE,
		.heading = "What to do",
		.help = "primitives, map costs, victims, and what is missing"
	},
	[OPT_EXPLAIN] = { "explain", no_argument, NONE,
		.help = "what each variant comes down to; measure nothing"
	},
	[OPT_VERIFY] = { "verify", no_argument, NONE,
		.help = "check every byte of every variant, time nothing"
	},
	[OPT_JSON] = { "json", no_argument, NONE,
		.help = "raw nanoseconds, one object per process"
	},
	[OPT_SAMPLES] = { "samples", required_argument, TEXT, "FILE",
		.help = "the same to a file, besides the text"
	},
	[OPT_MARKDOWN] = { "export-markdown", no_argument, NONE,
		.help = "the text as a table to paste into a mail or an issue"
	},
	[OPT_HELP] = { "help", no_argument, NONE,
		.help = "this text"
	},
	[OPT_VERSION] = { "version", no_argument, NONE,
		.help = "the version"
	},
	[OPT_PROCESSES] = { "processes", required_argument, NUMBER, "N",
		1, 10000,
		.heading = "How much",
		.help = "fresh processes, the unit of the interval (20)"
	},
	[OPT_ROUNDS] = { "rounds", required_argument, NUMBER, "N",
		1, 100000,
		.help = "interleaved rounds in each process (64)"
	},
	[OPT_SEED] = { "seed", required_argument, NUMBER, "N",
		0, UINT32_MAX,
		.help = "for the order within rounds (1)"
	},
	[OPT_HUGE] = { "huge", required_argument, SIZE, "SIZE",
		.heading = "On what",
		.help = "huge page (as this kernel's: hpage_pmd_size in "
			"/sys/kernel/mm/transparent_hugepage, else 2M)"
	},
	[OPT_BASE] = { "base", required_argument, SIZE, "SIZE",
		.help = "base page (as this kernel's: getconf PAGESIZE)"
	},
	[OPT_PAIRS] = { "pairs", required_argument, NUMBER, "N",
		1, 1 << 20,
		.help = "folios in each pool (enough for four times the "
			"last-level caches of the CPUs in use)"
	},
	[OPT_SOURCE] = { "source", required_argument, WORD,
		.words = state_words,
		.help = "before each copy (cold)"
	},
	[OPT_DESTINATION] = { "destination", required_argument, WORD,
		.words = state_words,
		.help = "likewise (cold)"
	},
	[OPT_BACKING] = { "backing", required_argument, WORD,
		.words = backing_words,
		.help = "huge pages or fail; huge pages if possible, and say "
			"if not; base pages (huge)"
	},
	[OPT_SOURCE_NODE] = { "source-node", required_argument, NUMBER, "N",
		0, 1023,
		.help = "NUMA placement"
	},
	[OPT_DESTINATION_NODE] = { "destination-node", required_argument,
		NUMBER, "N", 0, 1023,
		.help = "likewise"
	},
	[OPT_CPUS] = { "cpus", required_argument, TEXT, "LIST",
		.help = "the caller's CPU, then the workers': 0,8,16"
	},
	[OPT_ASSUME_CPUS] = { "assume-cpus", required_argument, NUMBER, "N",
		1, 1024,
		.help = "explain as on a machine with N CPUs"
	},
	[OPT_LOAD] = { "load", required_argument, NUMBER, "PERCENT",
		0, 1000,
		.help = "background load on each of the CPUs: 50, 100, 200 (0)"
	},
	[OPT_LIMIT] = { "limit", required_argument, NUMBER, "PERCENT",
		1, 100,
		.help = "put the caller, but not its workers, in a cgroup "
			"limited to this much of one CPU"
	},
	[OPT_PAUSE] = { "pause", required_argument, NUMBER, "US",
		0, 1000000,
		.help = "sleep before each sample (0)"
	},
	[OPT_VICTIM] = { "victim", required_argument, VICTIM,
		.heading = "What is timed, when not the copy",
		.help = "its time for a unit of work, on the first worker's "
			"CPU"
	},
	[OPT_WINDOW] = { "window", required_argument, NUMBER, "MS",
		1, 10000,
		.help = "how long each look at a victim is (30)"
	},
	[OPT_RATE] = { "rate", required_argument, NUMBER, "N",
		1, 1000000,
		.help = "copies a second meanwhile (500)"
	},
	[OPT_RECOVER] = { "recover", required_argument, CHASE,
		.help = "a pass over that working set after the copy"
	},
	[OPT_RECOVER_ON] = { "recover-on", required_argument, WORD,
		.words = cpu_words,
		.help = "whose CPU the passes are on: the first worker's, "
			"or (caller)"
	},
	[OPT_READER] = { "reader", required_argument, WORD,
		.words = &reader_words[READER_HERE],
		.help = "a pass of reading the destination after the copy, on "
			"the caller's CPU or on the second one"
	},
	[OPT_ENERGY] = { "energy", required_argument, TEXT, "FILE,..",
		.help = "counters in uJ, read around each window"
	},
};
/* clang-format on */

static const char *const *words_of(const struct entry *e)
{
	switch (e->kind) {
	case VICTIM:
		return victim_words(0);
	case CHASE:
		return victim_words(1);
	default:
		return e->words;
	}
}

static void print_option(const struct entry *e)
{
	const char *const *words = words_of(e);
	char head[48], text[256] = "";
	size_t len;

	if (e->heading)
		printf("%s:\n", e->heading);
	snprintf(head, sizeof(head), "      --%s%s%s", e->name,
		 e->argument == required_argument ? "=" : "",
		 e->value ? e->value : "");
	if (words)
		words_join(text, sizeof(text), words, " | ", " | ");
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, "%s%s", len ? ": " : "",
		 e->help);
	print_wrapped(head, 24, text);
}

static void print_help(void)
{
	fputs(usage, stdout);
	variant_print_help(0);
	puts("Of a parallel copy:");
	variant_print_help(1);
	fputs(others, stdout);
	for (int i = 0; i < OPTIONS; i++)
		print_option(&entries[i]);
	fputs(examples, stdout);
}

void die(const char *format, ...)
{
	va_list args;

	fputs("pagecopy: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(CANNOT);
}

void finish_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		die("cannot write the output: %s", strerror(errno));
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

static size_t parse_size_option(const char *option, const char *text)
{
	size_t size = parse_size(text);

	if (!size || size % COPY_ALIGN)
		die("--%s=%s: give a size as 64K or 2M, a multiple of 64",
		    option, text);
	return size;
}

static unsigned int parse_word(const struct entry *e, const char *text)
{
	const char *const *words = words_of(e);
	int found = word_find(words, text);
	char known[128];

	if (found < 0) {
		words_join(known, sizeof(known), words, ", ", " or ");
		die("--%s=%s: give %s", e->name, text, known);
	}
	return (unsigned int)found;
}

static unsigned long read_value(const struct entry *e, const char *text)
{
	switch (e->kind) {
	case NUMBER:
		return parse_number(e->name, text, e->least, e->most);
	case SIZE:
		return parse_size_option(e->name, text);
	case WORD:
	case VICTIM:
	case CHASE:
		return parse_word(e, text);
	case NONE:
	case TEXT:
		break;
	}
	return 0;
}

static void parse_cpus(struct options *o, const char *text)
{
	/* The command is told as it was given. */
	char *list = strdupa(text), *word;

	o->cell.cpu_count = 0;
	while ((word = strsep(&list, ","))) {
		int cpu = (int)parse_number("cpus", word, 0, MOST_CPUS - 1);

		for (unsigned int i = 0; i < o->cell.cpu_count; i++)
			if (o->cpus[i] == cpu)
				die("--cpus: CPU %d is named twice", cpu);
		o->cpus[o->cell.cpu_count++] = cpu;
	}
}

static void leave_well(void)
{
	finish_output();
	exit(0);
}

static void choose_output(struct options *o, enum output output)
{
	if (o->output != OUTPUT_TEXT && o->output != output)
		die("give one of --verify, --json and --export-markdown");
	o->output = output;
}

/* The text, and what was read from it: a number, or which of the words. */
static void set_option(struct options *o, enum id id, unsigned long number,
		       char *text)
{
	struct cell *c = &o->cell;
	unsigned int count = (unsigned int)number;

	/* clang-format off */
	switch (id) {
	case OPT_LIST: o->list = 1; break;
	case OPT_EXPLAIN: o->explain = 1; break;
	case OPT_VERIFY: choose_output(o, OUTPUT_VERIFY); break;
	case OPT_JSON: choose_output(o, OUTPUT_JSON); break;
	case OPT_MARKDOWN: choose_output(o, OUTPUT_MARKDOWN); break;
	case OPT_SAMPLES: o->samples = text; break;
	case OPT_HELP: print_help(); leave_well(); break;
	case OPT_VERSION: puts("pagecopy " VERSION); leave_well(); break;
	case OPT_PROCESSES: o->processes = count; break;
	case OPT_ROUNDS: c->rounds = count; break;
	case OPT_SEED: c->seed = number; break;
	case OPT_HUGE: c->folio = number; break;
	case OPT_BASE: c->base = number; break;
	case OPT_PAIRS: c->pairs = number; break;
	case OPT_SOURCE: c->src_warm = (int)number; break;
	case OPT_DESTINATION: c->dst_warm = (int)number; break;
	case OPT_BACKING: c->backing = backings[number]; break;
	case OPT_SOURCE_NODE: c->src_node = (int)number; break;
	case OPT_DESTINATION_NODE: c->dst_node = (int)number; break;
	case OPT_CPUS: parse_cpus(o, text); break;
	case OPT_ASSUME_CPUS:
		o->assumes_cpus = 1;
		o->assumed_cpus = count;
		break;
	case OPT_LOAD: c->load_percent = count; break;
	case OPT_LIMIT: c->limit_percent = count; break;
	case OPT_PAUSE: c->pause_us = count; break;
	case OPT_VICTIM: c->victim = victim_find(text); break;
	case OPT_WINDOW: c->window_ms = count; break;
	case OPT_RATE: c->rate = count; break;
	case OPT_RECOVER: c->recover = victim_find(text); break;
	case OPT_READER: c->reader = (enum reads)(READER_HERE + number); break;
	case OPT_RECOVER_ON: c->recover_on_worker = (int)number; break;
	case OPT_ENERGY: c->energy = text; break;
	case OPTIONS: break;
	}
	/* clang-format on */
}

static void parse_options(struct options *o, int argc, char **argv)
{
	struct option table[OPTIONS + 1] = {};
	int index, option;

	for (int i = 0; i < OPTIONS; i++) {
		table[i].name = entries[i].name;
		table[i].has_arg = entries[i].argument;
	}
	while ((option = getopt_long(argc, argv, "", table, &index)) != -1) {
		if (option == '?')
			exit(CANNOT); /* getopt has said why */
		set_option(o, (enum id)index,
			   read_value(&entries[index], optarg), optarg);
	}
}

static void allowed_cpus(struct options *o)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		die("cannot read the allowed CPUs: %s", strerror(errno));
	for (int cpu = 0; cpu < MOST_CPUS; cpu++)
		if (CPU_ISSET(cpu, &set))
			o->cpus[o->cell.cpu_count++] = cpu;
}

static void check_output(const struct options *o)
{
	if (o->output == OUTPUT_MARKDOWN && (o->list || o->explain))
		die("--export-markdown is of what is measured: give it without "
		    "--list and --explain");
}

/* What is only explained may be of another machine. */
static void check_cpus(const struct options *o)
{
	cpu_set_t set;

	if (o->assumes_cpus && !o->explain)
		die("--assume-cpus is for --explain: give both");
	if (o->explain)
		return;
	if (sched_getaffinity(0, sizeof(set), &set))
		die("cannot read the allowed CPUs: %s", strerror(errno));
	for (unsigned int i = 0; i < o->cell.cpu_count; i++)
		if (!CPU_ISSET(o->cpus[i], &set))
			die("--cpus: this process may not run on CPU %d",
			    o->cpus[i]);
	if (o->cell.reader == READER_ELSEWHERE && o->cell.cpu_count < 2)
		die("--reader=elsewhere: this process may run on one CPU: give "
		    "--reader=here, or two --cpus");
}

static void check_cell(const struct cell *c)
{
	if (c->folio % c->base)
		die("--base=%zu does not divide --huge=%zu", c->base, c->folio);
	if (!!c->victim + !!c->recover + !!c->reader > 1)
		die("give one of --victim, --recover and --reader");
	if (c->recover_on_worker && !c->recover)
		die("--recover-on=worker: no passes to make: give --recover");
	if (c->recover_on_worker && c->cpu_count < 2)
		die("--recover-on=worker: on one CPU no worker has its own: give "
		    "two with --cpus");
	if (c->victim && (uint64_t)c->rate * c->window_ms < 1000)
		die("--rate=%u: not one copy in a --window=%u: raise one of them",
		    c->rate, c->window_ms);
	if (c->energy && !c->victim)
		die("--energy is read around the windows of a --victim: give one");
	if (c->energy && !energy_readable(c->energy))
		die("--energy=%s: give files that can be read, 16 at the most",
		    c->energy);
}

static void do_as_told(struct bench *b, const struct options *o)
{
	if (o->explain && o->output == OUTPUT_JSON) {
		explain_json(b);
	} else if (o->explain) {
		explain(b);
	} else {
		check_pools(b);
		if (o->output == OUTPUT_VERIFY)
			verify(b);
		else
			measure(b, o);
	}
	finish_output();
}

int main(int argc, char **argv)
{
	static struct options o = {
		.cell = { .rounds = 64,
			  .seed = 1,
			  .src_node = -1,
			  .dst_node = -1,
			  .window_ms = 30,
			  .rate = 500 },
		.processes = 20,
	};
	struct bench b = {};

	o.cell.base = base_page_size();
	o.cell.folio = pmd_size();
	allowed_cpus(&o);
	parse_options(&o, argc, argv);
	o.words = argv;
	check_output(&o);
	if (o.list) {
		if (o.output == OUTPUT_JSON)
			list_json();
		else
			list();
		finish_output();
		return 0;
	}
	check_cpus(&o);
	check_cell(&o.cell);
	o.cell.cpus = o.cpus;
	b.cell = o.cell;
	b.arms = calloc((size_t)(argc - optind) + 256, sizeof(*b.arms));
	if (!b.arms)
		die("not enough memory");
	add_arms(&b, &o, &argv[optind]);
	do_as_told(&b, &o);
	free(b.arms);
	return 0;
}
