// SPDX-License-Identifier: MIT
/* What there is: for those who choose, and for those who check their choice. */
#include <stdio.h>

#include "eras.h"
#include "idle.h"
#include "pagecopy.h"
#include "words.h"

static const char *name_of(const struct primitive *p)
{
	return (p ? p : primitive_of_role(ROLE_LIBC))->name;
}

const char *kernels_own_then(void)
{
	return name_of(primitive_of_role(ROLE_OWN_THEN));
}

const char *kernels_own_now(void)
{
	return name_of(primitive_of_role(ROLE_OWN_NOW));
}

/* The C library's may take SIMD registers, for all that is known of it. */
static const char *fpu_of(const struct primitive *p)
{
	if (p->roles & (ROLE(LIBC) | ROLE(NOTHING)))
		return NULL;
	return p->fpu ? "a kernel has to save FPU state" :
			"no FPU state to save";
}

static void list_wrapped(const char *name, const char *text)
{
	char head[64];

	snprintf(head, sizeof(head), "  %-14s", name);
	print_wrapped(head, 17, text);
}

static void list_primitive(const struct primitive *p)
{
	const char *lacks = primitive_lacks(p), *fpu = fpu_of(p);

	printf("  %-10s %s\n", p->name, p->desc);
	for (int r = 0; role_words[r]; r++)
		if (primitive_roles(p) & 1u << r)
			printf("  %-10s (role: %s)\n", "", role_words[r]);
	if (fpu)
		printf("  %-10s (%s)\n", "", fpu);
	if (lacks)
		printf("  %-10s (not on this machine: needs %s)\n", "", lacks);
}

static void list_era(const struct era *era)
{
	const char *lacks = era_lacks(era);
	char kernel[16];

	snprintf(kernel, sizeof(kernel), "    %s:", era->kernel);
	printf("  %s\n", era->variant);
	print_wrapped(kernel, 9, era->functions);
	print_wrapped("", 4, era->note);
	if (lacks)
		printf("    (not on this machine: needs %s)\n", lacks);
	else
		printf("    (runs here%s)\n",
		       era_is_todays(era) ? ", today's on this CPU" : "");
}

void list(void)
{
	const struct primitive *p;

	puts("primitives");
	for (unsigned int n = 0; (p = primitive_nth(n)); n++)
		list_primitive(p);
	puts("map costs, per call");
	for (int m = 0; map_words[m]; m++)
		list_wrapped(map_words[m], map_costs[m].desc);
	puts("  (cond_resched() is no call under full and lazy preemption: "
	     "it is not there)");
	puts("how kernels copy a huge page, base page by base page");
	for (const struct era *era = eras; era->variant; era++)
		list_era(era);
	puts("victims, and a unit of their work");
	for (int i = 0; victim_kinds[i]; i++)
		printf("  %-10s %s: %s\n", victim_kinds[i]->name,
		       victim_kinds[i]->desc, victim_kinds[i]->unit);
}

/* "key":["word",...] of those whose bit is set in "which". */
static void json_words(const char *key, const char *const *words,
		       unsigned int which)
{
	const char *comma = "";

	printf("\"%s\":[", key);
	for (unsigned int w = 0; words && words[w]; w++)
		if (which & 1u << w) {
			printf("%s\"%s\"", comma, words[w]);
			comma = ",";
		}
	putchar(']');
}

static void json_primitives(void)
{
	const struct primitive *p;

	printf("\"primitives\":{");
	for (unsigned int n = 0; (p = primitive_nth(n)); n++) {
		const char *lacks = primitive_lacks(p);

		printf("%s\n\"%s\":{\"description\":\"%s\",\"lacks\":",
		       n ? "," : "", p->name, p->desc);
		printf(lacks ? "\"%s\"," : "null,", lacks);
		json_words("roles", role_words, primitive_roles(p));
		printf(",\"fpu\":%s}", p->fpu ? "true" : "false");
	}
	putchar('}');
}

static void json_eras(void)
{
	printf("\"eras\":[");
	for (const struct era *era = eras; era->variant; era++)
		printf("%s\n{\"variant\":\"%s\",\"kernel\":\"%s\",\"functions\":\"%s\",\"note\":\"%s\"}",
		       era == eras ? "" : ",", era->variant, era->kernel,
		       era->functions, era->note);
	putchar(']');
}

static void json_victims(void)
{
	printf("\"victims\":{");
	for (int i = 0; victim_kinds[i]; i++)
		printf("%s\n\"%s\":{\"description\":\"%s\",\"unit\":\"%s\"}",
		       i ? "," : "", victim_kinds[i]->name,
		       victim_kinds[i]->desc, victim_kinds[i]->unit);
	putchar('}');
}

static void json_options(void)
{
	printf("\"options\":[");
	for (int k = 0; k < KEYS; k++) {
		const struct variant_option *o = &variant_options[k];

		printf("%s\n{\"key\":\"%s\",\"value\":\"%s\",", k ? "," : "",
		       o->key, value_kind_words[o->kind]);
		json_words("words", o->words, ~0u);
		printf(",\"help\":\"%s\",\"for\":\"%s\"}", o->help,
		       o->parallel_only ? "parallel" : "every");
	}
	putchar(']');
}

void list_json(void)
{
	printf("{\"copy_page\":\"%s\",\"folio_mc_copy\":\"%s\",",
	       kernels_own_then(), kernels_own_now());
	printf("\"high_priority\":%s,\n",
	       priority_allowed(PRIORITY_HIGH) ? "true" : "false");
	json_primitives();
	puts(",");
	json_eras();
	puts(",");
	json_victims();
	puts(",");
	json_options();
	puts(",");
	json_words("channels", channel_names, ~0u);
	puts(",");
	json_words("counts", fact_names, ~0u);
	printf(",\n\"timer_ns\":%u,\"migrator_copies\":%u,\"scan_most\":%u}\n",
	       TIMER_NS, MIGRATOR_COPIES, IDLE_CPUS);
}
