// SPDX-License-Identifier: MIT
/*
 * What a variant comes down to on a machine, once its text is read from left
 * to right. In this order:
 *
 * threads	as asked for, 1 if not; model=2017: as many as there are CPUs,
 *		at most 8, less 1 if odd, at least 1; model=2025 and padata: as
 *		many as there are CPUs, at most 4. Of threads= and model= the
 *		last one counts. What is not parallel has 1.
 * bytes	as asked for; if not, the folio.
 * extent	as asked for; if not, the base page under rule page and 0 (all
 *		of a part) under bulk. One that is as long as a base page and
 *		longer than bytes becomes bytes.
 * chunk	as asked for, at most bytes; 0 (even parts) if not.
 * split	folios under model=2017 with folios= above 1, else parts.
 *
 * model= also sets, over what was said before it: 2017 caller=waits,
 * priority=high and join each; 2025 caller=waits, affinity=unbound and join
 * each; padata caller=works, affinity=unbound and parts=shared. Nothing takes
 * join each back; without it join is all. All else is as it was asked for.
 */
#include "buffers.h"
#include "variant.h"
#include "words.h"

static unsigned int at_most(unsigned int count, unsigned int most)
{
	return count < most ? count : most;
}

static unsigned int threads_of(const struct variant *v, unsigned int cpus)
{
	unsigned int even = at_most(cpus, 8) & ~1u;

	switch (v->threads_from) {
	case THREADS_EVEN_TO_8:
		/* See DEFECT_ZERO; Khandual mended it so. */
		return even ? even : 1;
	case THREADS_TO_4:
		return at_most(cpus, 4);
	case THREADS_ASKED:
		break;
	}
	return v->team.threads;
}

static size_t extent_of(const struct variant *v, size_t base)
{
	size_t extent = v->extent;

	if (!v->extent_asked)
		extent = v->rule == RULE_PAGE ? base : 0;
	return extent == base && extent > v->bytes ? v->bytes : extent;
}

static const char *check_sizes(const struct variant *v, size_t folio)
{
	if (v->folios > 1 && v->observe == OBSERVE_STRETCH)
		return "observe=stretch is for one folio";
	if ((v->folios > 1 || v->migrators > 1) && v->bytes < folio &&
	    folio - v->bytes < base_page_size())
		return complain("bytes= with folios= or migrators= must leave "
				"%zuK of each folio",
				base_page_size() >> 10);
	if (v->extent && (v->extent % COPY_ALIGN || v->bytes % v->extent))
		return "the bytes per call do not divide what is copied into "
		       "multiples of 64";
	return NULL;
}

static const char *check_chunk(const struct variant *v)
{
	if (v->chunk && (v->chunk % COPY_ALIGN || v->bytes % v->chunk))
		return "chunk= does not divide what is copied into multiples "
		       "of 64";
	/* Its last call would copy what belongs to others, or to nobody. */
	if (v->extent && v->chunk % v->extent)
		return "chunk= is no multiple of the bytes per call";
	return NULL;
}

static const char *check_together(const struct variant *v)
{
	const struct team *team = &v->team;

	if (v->strategy == STRATEGY_PARALLEL && v->observe == OBSERVE_STRETCH)
		return "observe=stretch is for serial copies";
	if (v->strategy != STRATEGY_PARALLEL && v->observe == OBSERVE_PHASES)
		return "observe=phases is for parallel copies";
	if (v->delay_ns > 0 && v->map != MAP_DELAY)
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
	if (v->migrators > 1 &&
	    (team->dispatch == DISPATCH_SPIN || v->observe != OBSERVE_COPY ||
	     v->pick == PICK_IDLE))
		return "migrators= are for woken or spawned workers, "
		       "observe=copy and pick=any";
	if (v->defects & DEFECT_TAIL &&
	    (!(v->primitive->roles & ROLE(LIBC)) || v->chunk || v->extent))
		return "defect=tail is for libc in bulk: parts of odd length";
	if (v->defects & DEFECT_EARLY &&
	    (!v->model_2017 || team->dispatch != DISPATCH_WAKE))
		return "defect=early is for model=2017 and dispatch=wake";
	if (v->pick == PICK_IDLE &&
	    (team->unbound || team->caller == CALLER_RECLAIMS ||
	     v->parts == PARTS_SHARED))
		return "pick=idle is for bound workers that keep their work";
	if (v->defects & DEFECT_ZERO && v->cpus < 2)
		return "divides by zero on one CPU, as it was posted";
	if (v->model_2017 && v->parts == PARTS_SHARED)
		return "model=2017 has a work for each part: it takes no "
		       "parts=shared";
	if (v->model_2017 && v->pick == PICK_IDLE)
		return "model=2017 does not look: it takes the first CPUs";
	if (v->defects && v->observe == OBSERVE_PHASES)
		return "observe=phases is for copies without a defect";
	if (v->migrators > 1 && v->defects)
		return "defect= is for one migrator";
	return NULL;
}

const char *variant_resolve(struct variant *v, const struct limits *limits)
{
	const char *wrong;

	v->cpus = limits->cpus;
	v->team.threads = threads_of(v, limits->cpus);
	v->bytes = v->bytes_asked ? v->bytes : limits->folio;
	if (v->bytes % COPY_ALIGN || v->bytes > limits->folio)
		return "bytes= is a multiple of 64, at most a folio";
	v->extent = extent_of(v, limits->base);
	v->split = v->model_2017 && v->folios > 1 ? SPLIT_FOLIOS : SPLIT_PARTS;
	wrong = check_sizes(v, limits->folio);
	if (wrong)
		return wrong;
	if (v->chunk > v->bytes)
		v->chunk = v->bytes;
	wrong = check_chunk(v);
	return wrong ? wrong : check_together(v);
}
