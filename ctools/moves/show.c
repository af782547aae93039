// SPDX-License-Identifier: MIT
/* What was measured, and what there is: as text and as JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "../numbers.h"
#include "moves.h"

static void print_name(const struct arm *arm)
{
	printf("%s%s%s", arm->row->name, arm->live ? ":live=" : "",
	       arm->live ? arm->live : "");
}

void print_text(const struct arm *arms, unsigned int count)
{
	const char *unit = opt.ticks ? "ticks" : "us";
	double scale = opt.ticks ? 1 : 1e3;

	printf("move_pages(2), median of %u rounds, every page checked\n\n"
	       "row                     node %d > %d              node %d > %d\n",
	       opt.rounds, opt.from, opt.to, opt.to, opt.from);
	for (unsigned int i = 0; i < count; i++) {
		const struct arm *arm = &arms[i];
		double there = median(arm->there, opt.rounds);
		double back = median(arm->back, opt.rounds);

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

void print_json(const struct arm *arms, unsigned int count)
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

void list(void)
{
	puts("kinds of pages");
	for (int k = KIND_BASE; k < KINDS; k++)
		printf("  %-10s %zu bytes\n", kinds[k].name, kinds[k].bytes);
	puts("counters of /proc/vmstat");
	for (int c = 0; counters[c]; c++)
		printf("  %s\n", counters[c]);
	puts("steps of --live");
	for (size_t i = 0; live_steps[i].step; i++)
		printf("  %-10s %s\n", live_steps[i].step, live_steps[i].desc);
}

void list_json(void)
{
	printf("{\"kinds\":{");
	for (int k = KIND_BASE; k < KINDS; k++)
		printf("%s\"%s\":%zu", k ? "," : "", kinds[k].name,
		       kinds[k].bytes);
	printf("},\n\"counters\":[");
	for (int c = 0; counters[c]; c++)
		printf("%s\"%s\"", c ? "," : "", counters[c]);
	printf("],\n\"live\":[");
	for (size_t i = 0; live_steps[i].step; i++)
		printf("%s\n{\"step\":\"%s\",\"description\":\"%s\"}",
		       i ? "," : "", live_steps[i].step, live_steps[i].desc);
	puts("]}");
}
