// SPDX-License-Identifier: MIT
/* How one folio copy is organised: {serial, parallel} x {per page, bulk}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "strategies.h"

static size_t extent_of(const struct variant *v, size_t len)
{
	return v->extent ? v->extent : len;
}

static void copy_range(const struct variant *v, char *dst, const char *src,
		       size_t len)
{
	if (len)
		v->map->loop(dst, src, len, extent_of(v, len),
			     v->primitive->copy, v->delay_loops);
}

/* One call at a time, each timed: the longest is what nobody can preempt. */
static uint64_t longest_call(const struct variant *v, char *dst,
			     const char *src, size_t len)
{
	size_t extent = extent_of(v, len);
	uint64_t longest = 0, start = now_ns();

	for (size_t off = 0; off < len; off += extent) {
		uint64_t end;

		v->map->loop(dst + off, src + off, extent, extent,
			     v->primitive->copy, v->delay_loops);
		end = now_ns();
		if (end - start > longest)
			longest = end - start;
		start = end;
	}
	return longest;
}

/*
 * Where part "nth" of "parts" begins, in units that are never cut. The last
 * part ends at the last unit whatever the numbers: nothing is left over.
 */
static size_t part_start(size_t units, unsigned int parts, unsigned int nth)
{
	return (size_t)((unsigned __int128)units * nth / parts);
}

struct job {
	const struct variant *v;
	const struct span *span;
};

/* Part "nth" of one folio: whole extents, or cache lines when bulk. */
static void copy_slice(const struct variant *v, const struct span *span,
		       unsigned int folio, unsigned int nth)
{
	size_t unit = v->extent ? v->extent : COPY_ALIGN;
	size_t units = span->folio / unit, base = folio * span->folio;
	size_t start = part_start(units, v->team.threads, nth) * unit;
	size_t end = part_start(units, v->team.threads, nth + 1) * unit;

	copy_range(v, span->dst + base + start, span->src + base + start,
		   end - start);
}

static void copy_folio(const struct variant *v, const struct span *span,
		       unsigned int folio)
{
	size_t base = folio * span->folio;

	copy_range(v, span->dst + base, span->src + base, span->folio);
}

/*
 * The rule of the 2025 series: with fewer folios than threads everybody has
 * a slice of every folio, else everybody has whole folios in one run.
 */
static void copy_part(void *arg, unsigned int nth)
{
	const struct job *job = arg;
	const struct span *span = job->span;
	unsigned int threads = job->v->team.threads;

	if (span->folios < threads) {
		for (unsigned int i = 0; i < span->folios; i++)
			copy_slice(job->v, span, i, nth);
	} else {
		size_t end = part_start(span->folios, threads, nth + 1);

		for (size_t i = part_start(span->folios, threads, nth);
		     i < end; i++)
			copy_folio(job->v, span, (unsigned int)i);
	}
}

uint64_t copy_span(const struct variant *v, struct workers *w,
		   const struct span *span)
{
	struct job job = { .v = v, .span = span };

	if (v->observe == OBSERVE_STRETCH)
		return longest_call(v, span->dst, span->src,
				    span->folio * span->folios);
	if (v->parallel)
		workers_run(w, &v->team, copy_part, &job);
	else
		for (unsigned int i = 0; i < span->folios; i++)
			copy_folio(v, span, i);
	return 0;
}

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

static const char *parse_strategy(struct variant *v, const char *word)
{
	v->parallel = !strcmp(word, "parallel");
	if (!v->parallel && strcmp(word, "serial"))
		return complain("unknown strategy '%s': serial or parallel",
				word);
	return NULL;
}

static const char *parse_rule(struct variant *v, const char *word, size_t base)
{
	if (!strcmp(word, "page"))
		v->extent = base;
	else if (strcmp(word, "bulk"))
		return complain("unknown rule '%s': page or bulk", word);
	return NULL;
}

static const char *parse_primitive(struct variant *v, const char *word)
{
	v->primitive = primitive_find(word);
	if (!v->primitive)
		return complain("unknown kernel '%s': --list names them", word);
	return NULL;
}

static const char *parse_dispatch(struct variant *v, const char *word)
{
	static const char *const names[] = {
		[DISPATCH_SPAWN] = "spawn",
		[DISPATCH_WAKE] = "wake",
		[DISPATCH_SPIN] = "spin",
	};

	for (unsigned int i = 0; i < 3; i++)
		if (!strcmp(word, names[i])) {
			v->team.dispatch = (enum dispatch)i;
			return NULL;
		}
	return complain("unknown dispatch '%s': spawn, wake or spin", word);
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

static const char *parse_option(struct variant *v, const char *key,
				const char *value, size_t folio)
{
	if (!strcmp(key, "map")) {
		v->map = map_cost_find(value);
		if (!v->map)
			return complain("unknown map cost '%s': --list names them",
					value);
		return NULL;
	}
	if (!strcmp(key, "delay"))
		return parse_delay(v, value);
	if (!strcmp(key, "extent")) {
		v->extent = parse_size(value);
		if (!v->extent || v->extent % COPY_ALIGN || folio % v->extent)
			return complain("extent=%s does not divide the folio "
					"into multiples of 64 bytes", value);
		return NULL;
	}
	if (!strcmp(key, "folios"))
		return parse_count(value, &v->folios) ?
			complain("folios=%s: give a count of 1 or more", value) :
			NULL;
	if (!strcmp(key, "observe")) {
		v->observe = !strcmp(value, "stretch") ? OBSERVE_STRETCH :
							 OBSERVE_COPY;
		return v->observe || !strcmp(value, "copy") ? NULL :
			complain("unknown observe '%s': copy or stretch", value);
	}
	if (!v->parallel)
		return complain("a serial copy has no option '%s'", key);
	if (!strcmp(key, "threads"))
		return parse_count(value, &v->team.threads) ?
			complain("threads=%s: give a count of 1 or more", value) :
			NULL;
	if (!strcmp(key, "dispatch"))
		return parse_dispatch(v, value);
	if (!strcmp(key, "caller")) {
		v->team.caller_works = !strcmp(value, "works");
		return v->team.caller_works || !strcmp(value, "waits") ? NULL :
			complain("unknown caller '%s': works or waits", value);
	}
	return complain("unknown option '%s': see --help", key);
}

static const char *check_together(const struct variant *v)
{
	if (v->parallel && v->observe == OBSERVE_STRETCH)
		return "observe=stretch is for serial copies";
	if (v->delay_ns > 0 && strcmp(v->map->name, "delay"))
		return "give map= or delay=, not both";
	if (!v->team.caller_works && v->team.dispatch == DISPATCH_SPIN)
		return "dispatch=spin needs caller=works: a caller that spins "
		       "would hold its worker's CPU";
	return NULL;
}

const char *variant_parse(struct variant *v, const char *text,
			  size_t base, size_t folio)
{
	char copy[VARIANT_NAME_MAX], *rest = copy, *word;
	const char *wrong = NULL;

	*v = (struct variant){
		.map = map_cost_find("none"),
		.team = { .threads = 1, .dispatch = DISPATCH_WAKE,
			  .caller_works = 1 },
		.folios = 1,
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
			wrong = parse_rule(v, word, base);
		else if (nth == 2)
			wrong = parse_primitive(v, word);
		else if (!value)
			wrong = complain("'%s' is not KEY=VALUE", word);
		else {
			*value++ = '\0';
			wrong = parse_option(v, word, value, folio);
		}
	}
	if (wrong)
		return wrong;
	if (!v->primitive)
		return "a variant is STRATEGY:RULE:PRIMITIVE[:KEY=VALUE]...";
	return check_together(v);
}
