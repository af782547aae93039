// SPDX-License-Identifier: MIT
/* Variants as text: what a patch's command line and a cell's arm say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "idle.h"
#include "strategies.h"

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

static const char *complain(const char *what, const char *text)
{
	static char message[256];

	snprintf(message, sizeof(message), what, text);
	return message;
}

static int parse_count(const char *text, unsigned int *count)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !value || value > 1 << 20)
		return -1;
	*count = (unsigned int)value;
	return 0;
}

/* The place of a word in a list that ends with NULL, -1 where it is not. */
static int find_word(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], word))
			return i;
	return -1;
}

static const char *parse_strategy(struct variant *v, const char *word)
{
	static const char *const names[] = {
		[STRATEGY_SERIAL] = "serial", [STRATEGY_PARALLEL] = "parallel",
		[STRATEGY_ALONE] = "alone", [STRATEGY_SCAN] = "scan", NULL
	};
	int found = find_word(names, word);

	if (found < 0)
		return complain("unknown strategy '%s': serial, parallel, "
				"alone or scan", word);
	v->strategy = (enum strategy)found;
	return NULL;
}

static const char *parse_rule(struct variant *v, const char *word,
			      const struct limits *limits)
{
	if (v->strategy == STRATEGY_SCAN) {
		v->scan_written = !strcmp(word, "written");
		return v->scan_written || !strcmp(word, "hot") ? NULL :
			complain("unknown scan '%s': hot or written", word);
	}
	if (!strcmp(word, "page"))
		v->extent = limits->base;
	else if (strcmp(word, "bulk"))
		return complain("unknown rule '%s': page or bulk", word);
	return NULL;
}

static const char *parse_primitive(struct variant *v, const char *word)
{
	if (v->strategy == STRATEGY_SCAN) {
		v->primitive = primitive_find("empty");
		return parse_count(word, &v->scan_cpus) ||
		       v->scan_cpus > IDLE_CPUS ?
			complain("scan of '%s' CPUs: give 1 to 1024", word) :
			NULL;
	}
	v->primitive = primitive_find(word);
	if (!v->primitive)
		return complain("unknown kernel '%s': --list names them", word);
	return NULL;
}

static const char *parse_map(struct variant *v, const char *value)
{
	v->map = map_cost_find(value);
	return v->map ? NULL :
		complain("unknown map cost '%s': --list names them", value);
}

static const char *parse_delay(struct variant *v, const char *word)
{
	char *end;

	v->delay_ns = strtod(word, &end);
	if (*word < '0' || *word > '9' || *end || v->delay_ns > 1e6)
		return complain("delay=%s: give 0 to 1000000 ns", word);
	v->map = map_cost_find("delay");
	return NULL;
}

static const char *parse_extent(struct variant *v, const char *value)
{
	v->extent = parse_size(value);
	return v->extent ? NULL : complain("extent=%s: not a size", value);
}

static const char *parse_bytes(struct variant *v, const char *value)
{
	v->bytes = parse_size(value);
	return v->bytes ? NULL : complain("bytes=%s: not a size", value);
}

static const char *parse_chunk(struct variant *v, const char *value)
{
	v->chunk = parse_size(value);
	return v->chunk ? NULL : complain("chunk=%s: not a size", value);
}

static const char *count_or(const char *message, const char *value,
			    unsigned int *count, unsigned int most)
{
	return parse_count(value, count) || *count > most ?
		complain(message, value) : NULL;
}

static const char *parse_folios(struct variant *v, const char *value)
{
	return count_or("folios=%s: give 1 to 1048576", value, &v->folios,
			1 << 20);
}

static const char *parse_migrators(struct variant *v, const char *value)
{
	return count_or("migrators=%s: give 1 to 1024", value,
			&v->migrators, 1024);
}

static const char *parse_threads(struct variant *v, const char *value)
{
	return count_or("threads=%s: give 1 to 4096", value,
			&v->team.threads, 4096);
}

static const char *parse_observe(struct variant *v, const char *value)
{
	static const char *const names[] = {
		[OBSERVE_COPY] = "copy", [OBSERVE_STRETCH] = "stretch",
		[OBSERVE_PHASES] = "phases", NULL
	};
	int found = find_word(names, value);

	if (found < 0)
		return complain("unknown observe '%s': copy, stretch or phases",
				value);
	v->observe = (enum observe)found;
	return NULL;
}

static const char *parse_dispatch(struct variant *v, const char *value)
{
	static const char *const names[] = {
		[DISPATCH_SPAWN] = "spawn", [DISPATCH_WAKE] = "wake",
		[DISPATCH_SPIN] = "spin", NULL
	};
	int found = find_word(names, value);

	if (found < 0)
		return complain("unknown dispatch '%s': spawn, wake or spin",
				value);
	v->team.dispatch = (enum dispatch)found;
	return NULL;
}

static const char *parse_caller(struct variant *v, const char *value)
{
	static const char *const names[] = {
		[CALLER_WORKS] = "works", [CALLER_WAITS] = "waits",
		[CALLER_RECLAIMS] = "reclaims", NULL
	};
	int found = find_word(names, value);

	if (found < 0)
		return complain("unknown caller '%s': works, waits or reclaims",
				value);
	v->team.caller = (enum caller)found;
	return NULL;
}

static const char *parse_priority(struct variant *v, const char *value)
{
	static const char *const names[] = {
		[PRIORITY_NORMAL] = "normal", [PRIORITY_HIGH] = "high",
		[PRIORITY_LOW] = "low", [PRIORITY_IDLE] = "idle", NULL
	};
	int found = find_word(names, value);

	if (found < 0)
		return complain("unknown priority '%s': normal, high, low or "
				"idle", value);
	v->team.priority = (enum priority)found;
	return NULL;
}

static const char *parse_affinity(struct variant *v, const char *value)
{
	v->team.unbound = !strcmp(value, "unbound");
	return v->team.unbound || !strcmp(value, "bound") ? NULL :
		complain("unknown affinity '%s': bound or unbound", value);
}

static const char *parse_pick(struct variant *v, const char *value)
{
	v->pick_idle = !strcmp(value, "idle");
	return v->pick_idle || !strcmp(value, "any") ? NULL :
		complain("unknown pick '%s': any or idle", value);
}

static const char *parse_defect(struct variant *v, const char *value)
{
	if (!strcmp(value, "tail"))
		v->defects |= DEFECT_TAIL;
	else if (!strcmp(value, "early"))
		v->defects |= DEFECT_EARLY;
	else if (!strcmp(value, "zero"))
		v->defects |= DEFECT_ZERO;
	else
		return complain("unknown defect '%s': tail, early or zero",
				value);
	return NULL;
}

/* What has been proposed, by the year; later options change details. */
static const char *parse_model(struct variant *v, const char *value)
{
	unsigned int cpus = v->scan_cpus;

	if (!strcmp(value, "2017")) {
		unsigned int even = (cpus < 8 ? cpus : 8) & ~1u;

		/* See DEFECT_ZERO; Khandual mended it so. */
		v->team.threads = even ? even : 1;
		v->team.caller = CALLER_WAITS;
		v->team.join_each = 1;
		v->team.priority = PRIORITY_HIGH;
		v->rule_2017 = 1;
	} else if (!strcmp(value, "2025")) {
		v->team.threads = cpus < 4 ? cpus : 4;
		v->team.caller = CALLER_WAITS;
		v->team.join_each = 1;
		v->team.unbound = 1;
	} else if (!strcmp(value, "padata")) {
		v->team.threads = cpus < 4 ? cpus : 4;
		v->team.caller = CALLER_WORKS;
		v->team.unbound = 1;
		v->chunk = 1;	/* a fourth of a thread's part: see check */
	} else {
		return complain("unknown model '%s': 2017, 2025 or padata",
				value);
	}
	return NULL;
}

static const struct {
	const char *key;
	const char *(*parse)(struct variant *v, const char *value);
	int parallel_only;
} options[] = {
	{ "map", parse_map, 0 },
	{ "delay", parse_delay, 0 },
	{ "extent", parse_extent, 0 },
	{ "bytes", parse_bytes, 0 },
	{ "folios", parse_folios, 0 },
	{ "migrators", parse_migrators, 0 },
	{ "observe", parse_observe, 0 },
	{ "threads", parse_threads, 1 },
	{ "dispatch", parse_dispatch, 1 },
	{ "caller", parse_caller, 1 },
	{ "priority", parse_priority, 1 },
	{ "affinity", parse_affinity, 1 },
	{ "chunk", parse_chunk, 1 },
	{ "pick", parse_pick, 1 },
	{ "model", parse_model, 1 },
	{ "defect", parse_defect, 1 },
	{}
};

static const char *parse_option(struct variant *v, const char *key,
				const char *value)
{
	for (int i = 0; options[i].key; i++) {
		if (strcmp(key, options[i].key))
			continue;
		if (options[i].parallel_only &&
		    v->strategy != STRATEGY_PARALLEL)
			return complain("only a parallel copy has an option "
					"'%s'", key);
		return options[i].parse(v, value);
	}
	return complain("unknown option '%s': see --help", key);
}

/*
 * The largest multiple of "unit" that divides "bytes" and is not more than
 * "most"; the unit itself where there is none.
 */
static size_t largest_part(size_t bytes, size_t unit, size_t most)
{
	size_t units = bytes / unit, best = 1;

	for (size_t i = 1; i <= units / i; i++) {
		if (units % i)
			continue;
		if (i > best && i <= most / unit)
			best = i;
		if (units / i > best && units / i <= most / unit)
			best = units / i;
	}
	return best * unit;
}

/* A fourth of what a thread has to do, in whole calls. */
static size_t padata_chunk(const struct variant *v)
{
	unsigned __int128 all = (unsigned __int128)v->bytes * v->folios;
	size_t unit = v->extent ? v->extent : COPY_ALIGN;

	all = all / v->team.threads / 4;
	return largest_part(v->bytes, unit,
			    all < v->bytes ? (size_t)all : v->bytes);
}

static const char *check_chunk(struct variant *v)
{
	if (v->chunk == 1)
		v->chunk = padata_chunk(v);
	if (v->chunk > v->bytes)
		v->chunk = v->bytes;	/* one piece: nothing to share */
	if (v->chunk && (v->chunk % COPY_ALIGN || v->bytes % v->chunk))
		return "chunk= does not divide what is copied into multiples "
		       "of 64";
	/* Its last call would copy what belongs to others, or to nobody. */
	if (v->extent && v->chunk % v->extent)
		return "chunk= is no multiple of the bytes per call";
	return NULL;
}

static const char *check_sizes(struct variant *v, const struct limits *limits)
{
	if (!v->bytes)
		v->bytes = limits->folio;
	if (v->bytes % COPY_ALIGN || v->bytes > limits->folio)
		return "bytes= is a multiple of 64, at most a folio";
	if ((v->folios > 1 || v->migrators > 1) && v->bytes < limits->folio &&
	    limits->folio - v->bytes < 4096)
		return "bytes= with folios= or migrators= must leave 4K of each "
		       "folio";
	if (v->extent == limits->base && v->extent > v->bytes)
		v->extent = v->bytes;
	if (v->observe == OBSERVE_STRETCH && v->folios > 1)
		return "observe=stretch is for one folio";
	if (v->extent && (v->extent % COPY_ALIGN || v->bytes % v->extent))
		return "the bytes per call do not divide what is copied into "
		       "multiples of 64";
	return check_chunk(v);
}

static const char *check_together(const struct variant *v)
{
	const struct team *team = &v->team;

	if (v->strategy == STRATEGY_PARALLEL &&
	    v->observe == OBSERVE_STRETCH)
		return "observe=stretch is for serial copies";
	if (v->strategy != STRATEGY_PARALLEL &&
	    v->observe == OBSERVE_PHASES)
		return "observe=phases is for parallel copies";
	if (v->delay_ns > 0 && strcmp(v->map->name, "delay"))
		return "give map= or delay=, not both";
	if (team->caller == CALLER_WAITS && team->dispatch == DISPATCH_SPIN)
		return "dispatch=spin needs caller=works: a caller that spins "
		       "would hold its worker's CPU";
	if (team->dispatch != DISPATCH_WAKE &&
	    (team->priority || team->unbound))
		return "priority= and affinity= are for dispatch=wake";
	if (team->caller == CALLER_RECLAIMS && team->dispatch != DISPATCH_WAKE)
		return "caller=reclaims needs dispatch=wake: only what is "
		       "queued can be taken back";
	if (v->migrators > 1 && (team->dispatch == DISPATCH_SPIN ||
				 v->observe != OBSERVE_COPY || v->pick_idle))
		return "migrators= are for woken or spawned workers, "
		       "observe=copy and pick=any";
	if (v->defects & DEFECT_TAIL &&
	    (strcmp(v->primitive->name, "memcpy") || v->chunk || v->extent))
		return "defect=tail is for memcpy in bulk: parts of odd length";
	if (v->defects & DEFECT_EARLY &&
	    (!v->rule_2017 || team->dispatch != DISPATCH_WAKE))
		return "defect=early is for model=2017 and dispatch=wake";
	if (v->pick_idle && (team->unbound || team->caller == CALLER_RECLAIMS))
		return "pick=idle is for bound workers that keep their work";
	if (v->defects & DEFECT_ZERO && v->scan_cpus < 2)
		return "divides by zero on one CPU, as it was posted";
	if (v->rule_2017 && v->pick_idle)
		return "model=2017 does not look: it takes the first CPUs";
	if (v->defects && v->observe == OBSERVE_PHASES)
		return "observe=phases is for copies without a defect";
	if (v->migrators > 1 && v->defects)
		return "defect= is for one migrator";
	return NULL;
}

const char *variant_parse(struct variant *v, const char *text,
			  const struct limits *limits)
{
	char copy[VARIANT_NAME_MAX], *rest = copy, *word;
	const char *wrong = NULL;

	*v = (struct variant){
		.map = map_cost_find("none"),
		.team = { .threads = 1, .dispatch = DISPATCH_WAKE },
		.folios = 1,
		.migrators = 1,
		.scan_cpus = limits->cpus,
	};
	if (strlen(text) >= sizeof(copy))
		return "a variant's name is at most 127 characters long";
	strcpy(v->name, text);
	strcpy(copy, text);

	for (int nth = 0; !wrong && (word = strsep(&rest, ":")); nth++) {
		char *value = strchr(word, '=');

		if (nth == 0)
			wrong = parse_strategy(v, word);
		else if (nth == 1)
			wrong = parse_rule(v, word, limits);
		else if (nth == 2)
			wrong = parse_primitive(v, word);
		else if (!value)
			wrong = complain("'%s' is not KEY=VALUE", word);
		else {
			*value++ = '\0';
			wrong = parse_option(v, word, value);
		}
	}
	if (wrong)
		return wrong;
	if (!v->primitive)
		return "a variant is STRATEGY:RULE:PRIMITIVE[:KEY=VALUE]...";
	wrong = check_sizes(v, limits);
	return wrong ? wrong : check_together(v);
}
