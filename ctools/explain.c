// SPDX-License-Identifier: MIT
/* What a variant comes down to, field by field: see resolve.c for the rules. */
#include <stdio.h>

#include "pagecopy.h"

#define FIELDS 25

struct field {
	const char *key;
	int is_word;
	char value[32];
};

struct fields {
	struct field at[FIELDS];
	unsigned int count;
};

static void add_word(struct fields *f, const char *key, const char *word)
{
	struct field *field = &f->at[f->count++];

	field->key = key;
	field->is_word = 1;
	snprintf(field->value, sizeof(field->value), "%s", word);
}

static void add_number(struct fields *f, const char *key, double number)
{
	struct field *field = &f->at[f->count++];

	field->key = key;
	field->is_word = 0;
	snprintf(field->value, sizeof(field->value), "%.17g", number);
}

static void add_size(struct fields *f, const char *key, size_t size)
{
	struct field *field = &f->at[f->count++];

	field->key = key;
	field->is_word = 0;
	snprintf(field->value, sizeof(field->value), "%zu", size);
}

/* The word of an option that takes words. */
static void add_option(struct fields *f, enum key key, unsigned int word)
{
	const struct variant_option *o = &variant_options[key];

	add_word(f, o->key, o->words[word]);
}

static void add_team(struct fields *f, const struct variant *v)
{
	const struct team *team = &v->team;

	add_size(f, "threads", team->threads);
	add_option(f, KEY_DISPATCH, team->dispatch);
	add_option(f, KEY_CALLER, team->caller);
	add_option(f, KEY_PRIORITY, team->priority);
	add_option(f, KEY_AFFINITY, (unsigned int)team->unbound);
	add_option(f, KEY_PARTS, v->parts);
	add_size(f, "chunk", v->chunk);
	add_option(f, KEY_PICK, v->pick);
	add_word(f, "join", team->join_each ? "each" : "all");
	add_word(f, "split", v->split == SPLIT_FOLIOS ? "folios" : "parts");
}

static struct fields fields_of(const struct variant *v)
{
	int scans = v->strategy == STRATEGY_SCAN;
	struct fields f = {};

	add_word(&f, "strategy", strategy_words[v->strategy]);
	add_word(&f, "rule", scans ? scan_words[v->scan] : rule_words[v->rule]);
	add_word(&f, "primitive", v->primitive->name);
	add_option(&f, KEY_MAP, v->map);
	add_number(&f, "delay_ns", v->delay_ns);
	add_size(&f, "extent", v->extent);
	add_size(&f, "bytes", v->bytes);
	add_size(&f, "folios", v->folios);
	add_size(&f, "migrators", v->migrators);
	add_option(&f, KEY_OBSERVE, v->observe);
	add_team(&f, v);
	if (scans)
		add_size(&f, "cpus", v->scan_cpus);
	return f;
}

static void print_defects(const struct variant *v, const char *quote)
{
	const char *const *words = variant_options[KEY_DEFECT].words;
	const char *comma = "";

	for (unsigned int i = 0; words[i]; i++)
		if (v->defects & 1u << i) {
			printf("%s%s%s%s", comma, quote, words[i], quote);
			comma = ",";
		}
}

void json_resolved(const struct variant *v)
{
	const struct fields f = fields_of(v);

	putchar('{');
	for (unsigned int i = 0; i < f.count; i++) {
		const char *quote = f.at[i].is_word ? "\"" : "";

		printf("\"%s\":%s%s%s,", f.at[i].key, quote, f.at[i].value,
		       quote);
	}
	printf("\"defects\":[");
	print_defects(v, "\"");
	printf("]}");
}

void explain_json(const struct bench *b)
{
	printf("{\"variants\":[");
	for (unsigned int i = 0; i < b->count; i++) {
		printf("%s\n{\"variant\":\"%s\",\"resolved\":", i ? "," : "",
		       b->arms[i].v.name);
		json_resolved(&b->arms[i].v);
		putchar('}');
	}
	puts("]}");
}

void explain(const struct bench *b)
{
	for (unsigned int i = 0; i < b->count; i++) {
		const struct variant *v = &b->arms[i].v;
		const struct fields f = fields_of(v);

		puts(v->name);
		for (unsigned int k = 0; k < f.count; k++)
			printf("  %-11s%s\n", f.at[k].key, f.at[k].value);
		if (!v->defects)
			continue;
		printf("  %-11s", "defects");
		print_defects(v, "");
		putchar('\n');
	}
}
