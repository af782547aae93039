// SPDX-License-Identifier: MIT
/* The table of the text in Markdown, with all that a reader of a mail needs. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "pagecopy.h"
#include "probe.h"

/* As the kernel has it; the architecture where it has none. */
static void print_cpu(void)
{
	char line[256], model[256];
	struct utsname name = {};
	FILE *file = fopen("/proc/cpuinfo", "r");
	int found = 0;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "model name : %255[^\n]", model) == 1;
	if (file)
		fclose(file);
	uname(&name);
	printf("%s, Linux %s", found ? model : name.machine, name.release);
}

/* In a shell's quotes where it needs them. */
static void print_word(const char *word)
{
	putchar(' ');
	if (*word && !strpbrk(word, " \t\n\"'`$&();<>*?[]~#!|\\{}")) {
		fputs(word, stdout);
		return;
	}
	putchar('\'');
	for (; *word; word++)
		if (*word == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*word);
	putchar('\'');
}

/* Two backquotes hold what has one. */
static void print_command(char **words)
{
	fputs("`` pagecopy", stdout);
	for (words++; *words; words++)
		print_word(*words);
	fputs(" ``", stdout);
}

static void print_conditions(const struct bench *b, const char *reports,
			     const struct options *o)
{
	const struct cell *c = &b->cell;

	print_cpu();
	fputs(": ", stdout);
	print_command(o->words);
	printf("; %u processes x %u rounds, interleaved; pools of %zu folios, "
	       "%zu KiB each of %zu KiB pages; source %s, destination %s; "
	       "huge pages behind %.0f %% of the buffers; pagecopy " VERSION
	       "\n\n",
	       o->processes, c->rounds, c->pairs, c->folio >> 10, c->base >> 10,
	       state_word(c->src_warm), state_word(c->dst_warm),
	       huge_percent(b, reports, o->processes));
}

static void print_cells(const struct row *row, int copies)
{
	printf("| `%s` | %.*f us |", row->variant, row->decimals, row->us);
	if (copies && row->gb_per_s > 0)
		printf(" %.2f GB/s", row->gb_per_s);
	if (!copies && row->copy_us > 0)
		printf(" %.1f us", row->copy_us);
	fputs(" |", stdout);
	if (row->speedup > 0)
		printf(" %.3fx", row->speedup);
	fputs(" |", stdout);
	if (row->word)
		printf(" [%.3f, %.3f] | %s |\n", row->low, row->high,
		       row->word);
	else
		puts(" | |");
}

void print_markdown(const struct bench *b, const char *reports,
		    const struct options *o)
{
	int copies = b->arms[0].probe->times_copies;

	print_conditions(b, reports, o);
	printf("| variant | time | %s | speed | 95 %% of repeats | verdict |\n"
	       "|---|---:|---:|---:|---|---|\n",
	       copies ? "throughput" : "a copy");
	for (unsigned int i = 0; i < b->count; i++) {
		const struct row row = row_of(b, reports, o->processes, i);

		print_cells(&row, copies);
	}
	printf("\nIn each row: %s", b->arms[0].probe->heading);
	print_overhead(b, reports, o->processes);
}
