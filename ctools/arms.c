// SPDX-License-Identifier: MIT
/* The arms of a cell: variants that are there, can run, and go together. */
#include <stdio.h>
#include <string.h>

#include "caches.h"
#include "pagecopy.h"
#include "probe.h"

/* Each pool alone holds four times what all caches can keep of it. */
static size_t default_pairs(const struct cell *c)
{
	size_t cache = last_level_caches(c->cpus, c->cpu_count);

	if (!cache)
		cache = 64 << 20;
	return (4 * cache - 1) / c->folio + 1;
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
		    "ulimit -e 40",
		    v->name);
	if ((c->victim || c->recover || c->reader) && v->migrators > 1)
		die("%s: migrators= goes with none of --victim, --recover and "
		    "--reader",
		    v->name);
	if (v->strategy == STRATEGY_SCAN &&
	    (c->victim || c->recover || c->reader || c->limit_percent))
		die("%s: a scan goes with no --victim, --recover, --reader or "
		    "--limit",
		    v->name);
	if (v->strategy == STRATEGY_ALONE && !c->victim && !c->recover &&
	    o->output != OUTPUT_VERIFY)
		die("%s: nothing to time without --victim or --recover",
		    v->name);
}

/* Once all variants are known: pools hold the largest batch, or were asked. */
void check_pools(struct bench *b)
{
	struct cell *c = &b->cell;
	int asked = c->pairs != 0;

	if (!asked)
		c->pairs = default_pairs(c);
	for (unsigned int i = 0; i < b->count; i++) {
		const struct variant *v = &b->arms[i].v;

		size_t need = (size_t)v->folios * copies_of(v);

		if ((v->strategy == STRATEGY_SCAN) !=
		    (b->arms[0].v.strategy == STRATEGY_SCAN))
			die("%s: a scan is compared with scans only: give it no other variants",
			    v->name);

		if (need > c->pairs && asked)
			die("%s: more folios than --pairs=%zu", v->name,
			    c->pairs);
		if (need > c->pairs)
			c->pairs = need;
	}
	if (c->pairs > SIZE_MAX / 4 / c->folio)
		die("not enough memory: take fewer --pairs or a smaller --huge");
}

static unsigned int cpus_of(const struct options *o)
{
	return o->assumes_cpus ? o->assumed_cpus : o->cell.cpu_count;
}

static void add_arm(struct bench *b, const struct options *o, const char *text)
{
	const struct limits limits = { b->cell.base, b->cell.folio,
				       cpus_of(o) };
	struct arm *arm = &b->arms[b->count++];
	struct variant v;
	const char *wrong = variant_parse(&v, text);

	if (!wrong)
		wrong = variant_resolve(&v, &limits);
	if (wrong)
		die("%s: %s", text, wrong);
	if (!o->explain)
		check_variant(o, &v);
	*arm = (struct arm){ .v = v, .probe = probe_for(&b->cell, &v) };
	for (int i = 0; i < FACTS; i++)
		arm->fact[i] = -1;
}

static void add_arm_of(struct bench *b, const struct options *o,
		       const char *format, const char *primitive)
{
	char text[VARIANT_NAME_MAX];

	snprintf(text, sizeof(text), format, primitive);
	add_arm(b, o, text);
}

/* Against what migration does now: what it did then, and what it could do. */
static void add_default_arms(struct bench *b, const struct options *o)
{
	static const char *const parallel[] = {
		"parallel:page:%s:map=2026",
		"parallel:bulk:%s",
		"parallel:bulk:%s:dispatch=spawn:caller=waits",
	};
	const char *now = kernels_own_now(), *then = kernels_own_then();
	unsigned int threads = cpus_of(o) < 8 ? cpus_of(o) : 8;
	char text[VARIANT_NAME_MAX];

	add_arm_of(b, o, "serial:page:%s:map=2026", now);
	add_arm_of(b, o, "serial:page:%s:map=2017", then);
	add_arm_of(b, o, "serial:page:%s", now);
	add_arm_of(b, o, "serial:bulk:%s", now);
	for (unsigned int i = 0; i < 3 && threads > 1; i++) {
		snprintf(text, sizeof(text), "%s:threads=%u", parallel[i],
			 threads);
		add_arm_of(b, o, text, now);
	}
}

/* --verify with no variant named: every primitive, each strategy and rule. */
static void add_arms_to_verify(struct bench *b, const struct options *o)
{
	const struct primitive *p;
	char text[VARIANT_NAME_MAX];

	for (unsigned int n = 0; (p = primitive_nth(n)); n++) {
		if (primitive_lacks(p) || p->roles & ROLE(NOTHING))
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

void add_arms(struct bench *b, const struct options *o, char **texts)
{
	for (; *texts; texts++)
		add_arm(b, o, *texts);
	if (b->count)
		return;
	if (o->output == OUTPUT_VERIFY)
		add_arms_to_verify(b, o);
	else
		add_default_arms(b, o);
}
