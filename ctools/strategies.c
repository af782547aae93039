// SPDX-License-Identifier: MIT
/* How one folio copy is organised: {serial, parallel} x {per page, bulk}. */
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "idle.h"
#include "numbers.h"
#include "strategies.h"

static size_t extent_of(const struct variant *v, size_t len)
{
	return v->extent ? v->extent : len;
}

static void copy_range(const struct variant *v, char *dst, const char *src,
		       size_t len)
{
	if (len)
		map_costs[v->map].loop(dst, src, len, extent_of(v, len),
				       v->primitive->copy, v->delay_loops);
}

/*
 * One call at a time, each timed: no reschedule point is inside of one. The
 * middle one, as the longest is only where an interrupt came.
 */
static uint64_t typical_call(const struct variant *v, char *dst,
			     const char *src, size_t len)
{
	size_t extent = extent_of(v, len), count = 0;
	uint64_t *ns = calloc(len / extent, sizeof(*ns)), typical;

	if (!ns)
		abort(); /* 8 bytes for each call */
	for (size_t off = 0; off < len; off += extent) {
		uint64_t start = now_ns();

		map_costs[v->map].loop(dst + off, src + off, extent, extent,
				       v->primitive->copy, v->delay_loops);
		ns[count++] = now_ns() - start;
	}
	typical = (uint64_t)median(ns, count);
	free(ns);
	return typical;
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
	struct variant v;
	struct span span;
	unsigned int threads;
	_Atomic size_t next; /* of the chunks, or of the parts */
	_Atomic unsigned int *stale;
	unsigned int *drained; /* written by the caller only */
	const unsigned int *chosen;
};

/* Where the byte "offset" of all folios together lies in the pools. */
static size_t place(const struct span *span, size_t offset)
{
	return offset / span->folio * span->stride + offset % span->folio;
}

/* As 2017 and 2025 had it: size / threads each, and the rest is dropped. */
static void copy_slice_and_drop(const struct job *job, unsigned int folio,
				unsigned int nth)
{
	const struct span *span = &job->span;
	size_t chunk = span->folio / job->threads;
	size_t start = folio * span->stride + nth * chunk;

	job->v.primitive->copy(span->dst + start, span->src + start, chunk);
}

/* Part "nth" of one folio: whole extents, or cache lines when bulk. */
static void copy_slice(const struct job *job, unsigned int folio,
		       unsigned int nth)
{
	const struct span *span = &job->span;
	size_t unit = job->v.extent ? job->v.extent : COPY_ALIGN;
	size_t units = span->folio / unit, base = folio * span->stride;
	size_t start = part_start(units, job->threads, nth) * unit;
	size_t end = part_start(units, job->threads, nth + 1) * unit;

	if (job->v.defects & DEFECT_TAIL)
		copy_slice_and_drop(job, folio, nth);
	else
		copy_range(&job->v, span->dst + base + start,
			   span->src + base + start, end - start);
}

static void copy_folio(const struct variant *v, const struct span *span,
		       unsigned int folio)
{
	size_t base = folio * span->stride;

	copy_range(v, span->dst + base, span->src + base, span->folio);
}

/* Everybody takes the next chunk until there is none. */
static void copy_chunks(struct job *job)
{
	const struct span *span = &job->span;
	size_t chunk = job->v.chunk, end = span->folio * span->folios, offset;

	while ((offset = atomic_fetch_add(&job->next, chunk)) < end) {
		size_t at = place(span, offset);

		copy_range(&job->v, span->dst + at, span->src + at, chunk);
	}
}

/*
 * The rule of the 2025 series: with fewer folios than threads everybody has
 * a slice of every folio, else everybody has whole folios in one run.
 */
static void copy_even_part(const struct job *job, unsigned int nth)
{
	const struct span *span = &job->span;
	unsigned int threads = job->threads;

	if (span->folios < threads) {
		for (unsigned int i = 0; i < span->folios; i++)
			copy_slice(job, i, nth);
	} else {
		size_t end = part_start(span->folios, threads, nth + 1);

		for (size_t i = part_start(span->folios, threads, nth); i < end;
		     i++)
			copy_folio(&job->v, span, (unsigned int)i);
	}
}

/*
 * As padata hands out "max_threads" units with a least chunk of one: a chunk
 * is a whole part, and who comes late finds none left.
 */
static void copy_shared_parts(struct job *job, unsigned int worker)
{
	unsigned int done = 0;
	size_t nth;

	while ((nth = atomic_fetch_add(&job->next, 1)) < job->threads) {
		copy_even_part(job, (unsigned int)nth);
		done++;
	}
	if (!worker && job->v.team.caller != CALLER_WAITS)
		*job->drained = done;
}

/* That of 2017 differs for lists: a work for each folio. */
static void copy_part(void *arg, unsigned int nth)
{
	struct job *job = arg;

	if (job->stale && nth && idle_is_busy(job->chosen[nth]))
		atomic_fetch_add(job->stale, 1);
	if (job->v.chunk)
		copy_chunks(job);
	else if (job->v.split == SPLIT_FOLIOS)
		copy_folio(&job->v, &job->span, nth);
	else if (job->v.parts == PARTS_SHARED)
		copy_shared_parts(job, nth);
	else
		copy_even_part(job, nth);
}

/* The caller's own CPU, then those that look idle: chosen[] has one each. */
static unsigned int choose_idle(const struct variant *v, unsigned int nth,
				unsigned int *chosen, struct observed *seen)
{
	unsigned int found = 1;

	chosen[0] = nth;
	seen->scanned = 0;
	for (unsigned int i = 1; i < v->cpus && found < v->team.threads; i++) {
		unsigned int cpu = (nth + i) % v->cpus;

		seen->scanned++;
		if (!idle_is_busy(cpu))
			chosen[found++] = cpu;
	}
	seen->found_idle = found - 1;
	return found;
}

static void copy_parallel(const struct variant *v, struct workers *w,
			  unsigned int nth, const struct span *span,
			  struct observed *seen)
{
	unsigned int chosen[v->team.threads];
	_Atomic unsigned int stale = 0;
	struct team team = v->team;
	struct job job = { .v = *v,
			   .span = *span,
			   .threads = team.threads,
			   .drained = &seen->drained };
	struct call call = { .fn = copy_part,
			     .job = &job,
			     .job_bytes = sizeof(job),
			     .first = v->model_2017 ? 0 : nth };

	if (v->pick == PICK_IDLE) {
		team.threads = choose_idle(v, nth, chosen, seen);
		job.threads = team.threads;
		job.stale = &stale;
		job.chosen = call.chosen = chosen;
	}
	call.parts = v->split == SPLIT_FOLIOS ? span->folios : team.threads;
	call.awaited = v->defects & DEFECT_EARLY ? team.threads : call.parts;
	if (call.parts == 1 && team.caller != CALLER_WAITS)
		copy_part(&job, 0);
	else
		workers_run(w, &team, &call,
			    v->observe == OBSERVE_PHASES ? &seen->timeline :
							   NULL);
	seen->stale = stale;
}

void copy_span(const struct variant *v, struct workers *w, unsigned int nth,
	       const struct span *span, struct observed *seen)
{
	if (v->observe == OBSERVE_STRETCH)
		seen->call_ns =
			typical_call(v, span->dst, span->src, span->folio);
	else if (v->strategy == STRATEGY_PARALLEL)
		copy_parallel(v, w, nth, span, seen);
	else
		for (unsigned int i = 0; i < span->folios; i++)
			copy_folio(v, span, i);
}
