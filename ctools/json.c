// SPDX-License-Identifier: MIT
/* Every sample of a process, as one JSON object on one line. */
#include <inttypes.h>
#include <stdio.h>

#include "caches.h"
#include "pagecopy.h"
#include "probe.h"

const char *state_word(int warm)
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

static void json_samples(const char *key, const uint64_t *samples, size_t count)
{
	json_values(key, samples, count, 1);
}

static void json_counts(const struct arm *arm)
{
	for (int i = 0, seen = 0; i < FACTS; i++)
		if (arm->fact[i] >= 0)
			printf("%s\"%s\":%" PRId64, seen++ ? "," : "",
			       fact_names[i], arm->fact[i]);
}

static void json_arm(const struct bench *b, const struct arm *arm)
{
	const struct variant *v = &arm->v;
	size_t rounds = b->cell.rounds;

	printf("{\"variant\":\"%s\",\"bytes\":%zu,\"resolved\":", v->name,
	       arm->probe->amount(&b->cell, v));
	json_resolved(v);
	if (v->delay_ns > 0)
		printf(",\"delay_ns\":%g,\"delay_achieved_ns\":%.2f",
		       v->delay_ns, arm->delay_achieved_ns);
	json_samples("ns", arm->ns, rounds);
	json_samples("caller_cpu_ns", arm->caller_cpu_ns, rounds);
	if (v->strategy == STRATEGY_PARALLEL)
		json_samples("worker_cpu_ns", arm->worker_cpu_ns, rounds);
	printf(",\"counts\":{");
	json_counts(arm);
	printf("},\"channels\":{");
	for (int i = 0, seen = 0; i < CHANNELS; i++)
		if (arm->channel[i].count)
			json_values(channel_names[i], arm->channel[i].at,
				    arm->channel[i].count, seen++);
	fputs("}}", stdout);
}

void print_json(const struct bench *b)
{
	const struct cell *c = &b->cell;
	const struct victim_kind *victim = victim_of(c);

	printf("{\"pagecopy\":\"" VERSION "\",\"compiler\":\"%s\","
	       "\"flags\":\"%s\"",
	       __VERSION__, BUILD_FLAGS);
	printf(",\"base\":%zu,\"huge\":%zu,\"pairs\":%zu,\"rounds\":%u,"
	       "\"seed\":%" PRIu64,
	       c->base, c->folio, c->pairs, c->rounds, c->seed);
	printf(",\"source\":\"%s\",\"destination\":\"%s\"",
	       state_word(c->src_warm), state_word(c->dst_warm));
	printf(",\"source_node\":%d,\"destination_node\":%d", c->src_node,
	       c->dst_node);
	printf(",\"pool_bytes\":%zu,\"source_huge_bytes\":%zu,"
	       "\"destination_huge_bytes\":%zu,\"last_level_cache\":%zu,"
	       "\"last_level_caches\":%zu",
	       b->src.bytes, b->src.huge_bytes, b->dst.huge_bytes,
	       last_level_cache(), last_level_caches(c->cpus, c->cpu_count));
	printf(",\"cpus\":[");
	for (unsigned int i = 0; i < c->cpu_count; i++)
		printf("%s%d", i ? "," : "", c->cpus[i]);
	printf("],\"victim\":\"%s\",\"victim_bytes\":%zu",
	       victim ? victim->name : "none", victim_bytes(victim));
	printf(",\"reader\":\"%s\"", reader_words[c->reader]);
	if (b->llc_load_ns > 0)
		printf(",\"llc_load_ns\":%.2f,\"memory_load_ns\":%.2f",
		       b->llc_load_ns, b->memory_load_ns);
	printf(",\"overhead_ns\":%.1f,\"phases_ns\":{", b->overhead_ns);
	for (int i = 0; i < PHASES; i++)
		printf("%s\"%s\":%" PRIu64, i ? "," : "", phase_names[i],
		       b->phase_ns[i]);
	fputs("},\"arms\":[", stdout);
	for (unsigned int i = 0; i < b->count; i++) {
		if (i)
			putchar(',');
		json_arm(b, &b->arms[i]);
	}
	puts("]}");
}
