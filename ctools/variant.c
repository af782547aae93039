// SPDX-License-Identifier: MIT
/* Variants as text: what a patch's command line and a cell's arm say. */
#include <stdlib.h>
#include <string.h>

#include "idle.h"
#include "variant.h"
#include "words.h"

size_t parse_size(const char *text)
{
	char *end;
	unsigned long long value;
	unsigned int shift = 0;

	if (*text < '0' || *text > '9')
		return 0;
	value = strtoull(text, &end, 10);
	if (*end == 'K')
		shift = 10;
	else if (*end == 'M')
		shift = 20;
	else if (*end == 'G')
		shift = 30;
	if (shift)
		end++;
	if (*end || value > (SIZE_MAX >> 1) >> shift)
		return 0;
	return (size_t)value << shift;
}

static int parse_count(const char *text, unsigned int most, unsigned int *count)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !value || value > most)
		return -1;
	*count = (unsigned int)value;
	return 0;
}

/* What has been proposed, by the year; later options change details. */
static void follow_model(struct variant *v, enum model model)
{
	switch (model) {
	case MODEL_2017:
		v->threads_from = THREADS_EVEN_TO_8;
		v->team.caller = CALLER_WAITS;
		v->team.join_each = 1;
		v->team.priority = PRIORITY_HIGH;
		v->model_2017 = 1;
		break;
	case MODEL_2025:
		v->threads_from = THREADS_TO_4;
		v->team.caller = CALLER_WAITS;
		v->team.join_each = 1;
		v->team.unbound = 1;
		break;
	case MODEL_PADATA:
		v->threads_from = THREADS_TO_4;
		v->team.caller = CALLER_WORKS;
		v->team.unbound = 1;
		v->parts = PARTS_SHARED;
		break;
	}
}

struct value {
	unsigned int word, count;
	size_t size;
	double ns;
};

static void set_option(struct variant *v, enum key key,
		       const struct value *value)
{
	switch (key) {
	case KEY_MAP:
		v->map = (enum map)value->word;
		break;
	case KEY_DELAY:
		v->delay_ns = value->ns;
		v->map = MAP_DELAY;
		break;
	case KEY_EXTENT:
		v->extent = value->size;
		v->extent_asked = 1;
		break;
	case KEY_BYTES:
		v->bytes = value->size;
		v->bytes_asked = 1;
		break;
	case KEY_FOLIOS:
		v->folios = value->count;
		break;
	case KEY_MIGRATORS:
		v->migrators = value->count;
		break;
	case KEY_OBSERVE:
		v->observe = (enum observe)value->word;
		break;
	case KEY_MODEL:
		follow_model(v, (enum model)value->word);
		break;
	case KEY_THREADS:
		v->team.threads = value->count;
		v->threads_from = THREADS_ASKED;
		break;
	case KEY_DISPATCH:
		v->team.dispatch = (enum dispatch)value->word;
		break;
	case KEY_CALLER:
		v->team.caller = (enum caller)value->word;
		break;
	case KEY_PARTS:
		v->parts = (enum parts)value->word;
		break;
	case KEY_CHUNK:
		v->chunk = value->size;
		break;
	case KEY_PRIORITY:
		v->team.priority = (enum priority)value->word;
		break;
	case KEY_AFFINITY:
		v->team.unbound = (int)value->word;
		break;
	case KEY_PICK:
		v->pick = (enum pick)value->word;
		break;
	case KEY_DEFECT:
		v->defects |= 1u << value->word;
		break;
	case KEYS:
		break;
	}
}

static const char *read_value(const struct variant_option *o, const char *text,
			      struct value *value)
{
	char *end;
	int word;

	switch (o->kind) {
	case VALUE_WORD:
		word = word_find(o->words, text);
		value->word = (unsigned int)word;
		if (word < 0 && o->words == map_words)
			return complain("unknown map cost '%s': --list names "
					"them",
					text);
		return word < 0 ? complain_unknown(o->key, text, o->words) :
				  NULL;
	case VALUE_SIZE:
		value->size = parse_size(text);
		return value->size ?
			NULL :
			complain("%s=%s: not a size", o->key, text);
	case VALUE_COUNT:
		return parse_count(text, o->most, &value->count) ?
			complain("%s=%s: give 1 to %u", o->key, text, o->most) :
			NULL;
	case VALUE_NS:
		value->ns = strtod(text, &end);
		if (*text < '0' || *text > '9' || *end ||
		    !(value->ns <= o->most))
			return complain("%s=%s: give 0 to %u ns", o->key, text,
					o->most);
	}
	return NULL;
}

static const char *parse_option(struct variant *v, const char *key,
				const char *text)
{
	for (unsigned int k = 0; k < KEYS; k++) {
		const struct variant_option *o = &variant_options[k];
		struct value value = {};
		const char *wrong;

		if (strcmp(key, o->key))
			continue;
		if (o->parallel_only && v->strategy != STRATEGY_PARALLEL)
			return complain("only a parallel copy has an option "
					"'%s'",
					key);
		wrong = read_value(o, text, &value);
		if (!wrong)
			set_option(v, (enum key)k, &value);
		return wrong;
	}
	return complain("unknown option '%s': see --help", key);
}

static const char *parse_strategy(struct variant *v, const char *word)
{
	int found = word_find(strategy_words, word);

	if (found < 0)
		return complain_unknown("strategy", word, strategy_words);
	v->strategy = (enum strategy)found;
	return NULL;
}

static const char *parse_rule(struct variant *v, const char *word)
{
	int scans = v->strategy == STRATEGY_SCAN;
	const char *const *words = scans ? scan_words : rule_words;
	int found = word_find(words, word);

	if (found < 0)
		return complain_unknown(scans ? "scan" : "rule", word, words);
	if (scans)
		v->scan = (enum scan)found;
	else
		v->rule = (enum rule)found;
	return NULL;
}

static const char *parse_primitive(struct variant *v, const char *word)
{
	if (v->strategy == STRATEGY_SCAN) {
		v->rule = RULE_BULK;
		v->primitive = primitive_find("empty");
		return parse_count(word, IDLE_CPUS, &v->scan_cpus) ?
			complain("scan of '%s' CPUs: give 1 to %d", word,
				 IDLE_CPUS) :
			NULL;
	}
	v->primitive = primitive_find(word);
	return v->primitive ?
		NULL :
		complain("unknown primitive '%s': --list names them", word);
}

static const char *parse_word(struct variant *v, int nth, char *word)
{
	char *value = strchr(word, '=');

	switch (nth) {
	case 0:
		return parse_strategy(v, word);
	case 1:
		return parse_rule(v, word);
	case 2:
		return parse_primitive(v, word);
	}
	if (!value)
		return complain("'%s' is not KEY=VALUE", word);
	*value++ = '\0';
	return parse_option(v, word, value);
}

const char *variant_parse(struct variant *v, const char *text)
{
	char copy[VARIANT_NAME_MAX], *rest = copy, *word;
	const char *wrong = NULL;

	*v = (struct variant){
		.team = { .threads = 1, .dispatch = DISPATCH_WAKE },
		.folios = 1,
		.migrators = 1,
	};
	if (strlen(text) >= sizeof(copy))
		return "a variant's name is at most 127 characters long";
	strcpy(v->name, text);
	strcpy(copy, text);

	for (int nth = 0; !wrong && (word = strsep(&rest, ":")); nth++)
		wrong = parse_word(v, nth, word);
	if (!wrong && !v->primitive)
		wrong = "a variant is STRATEGY:RULE:PRIMITIVE[:KEY=VALUE]...";
	return wrong;
}
