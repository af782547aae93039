// SPDX-License-Identifier: MIT
/* The table of what samples there are, and what several are made of. */
#include <stdlib.h>

#include "clock.h"
#include "probe.h"

/*
 * The table, in the order they are asked: probes/ has NAME_probe for each. The
 * last takes whatever is left.
 */
#define PROBES(_)   \
	_(window)   \
	_(recovery) \
	_(reader)   \
	_(scan)     \
	_(crowd)    \
	_(copy)

#define DECLARED(name) extern const struct probe name##_probe;
#define ENTRY(name)    &name##_probe,

PROBES(DECLARED)

static const struct probe *const probes[] = { PROBES(ENTRY) };
#define COUNT (sizeof(probes) / sizeof(probes[0]))

const struct probe *probe_for(const struct cell *cell, const struct variant *v)
{
	for (unsigned int i = 0; i < COUNT; i++)
		if (probes[i]->is_for(cell, v))
			return probes[i];
	return &copy_probe;
}

const char copies_heading[] =
	"time, throughput, speed-up over the first [95 % of repeats]\n";
const char times_heading[] =
	"time of what is timed, speed over the first [95 % of repeats]\n";

static int is_used(const struct bench *b, const struct probe *probe)
{
	for (unsigned int i = 0; i < b->count; i++)
		if (b->arms[i].probe == probe)
			return 1;
	return 0;
}

const char *probes_open(struct bench *b)
{
	const char *wrong = NULL;

	for (unsigned int i = 0; !wrong && i < COUNT; i++)
		if (probes[i]->open && is_used(b, probes[i]))
			wrong = probes[i]->open(b);
	return wrong;
}

void probes_close(struct bench *b)
{
	for (unsigned int i = 0; i < COUNT; i++)
		if (probes[i]->close)
			probes[i]->close(b);
}

/* The workers that a copy needs at the same time. */
unsigned int team_size(const struct cell *cell, const struct variant *v)
{
	unsigned int need = v->team.threads;

	if (v->strategy != STRATEGY_PARALLEL)
		return 0;
	if (v->team.unbound)
		/* Each work has its own worker, as on such a queue. */
		return need * v->migrators;
	if (v->migrators > 1 || v->pick == PICK_IDLE)
		return cell->cpu_count > need ? cell->cpu_count : need;
	return need;
}

size_t bytes_copied(const struct cell *cell, const struct variant *v)
{
	(void)cell;
	return v->bytes * v->folios * copies_of(v);
}

/* Somebody else's time is for a unit of work, whatever was copied. */
size_t bytes_of_a_folio(const struct cell *cell, const struct variant *v)
{
	(void)v;
	return cell->folio;
}

struct span next_span(struct bench *b, const struct variant *v)
{
	size_t offset;

	/* A batch is one run of folios: at the pool's end it starts over. */
	if (b->next_pair + v->folios > b->cell.pairs) {
		b->next_pair = 0;
		b->wrapped = 1;
	}
	offset = b->next_pair * b->cell.folio;
	b->next_pair += v->folios;
	return (struct span){
		.dst = b->dst.start + offset,
		.src = b->src.start + offset,
		.folio = v->bytes,
		.stride = b->cell.folio,
		.folios = v->folios,
	};
}

struct workers *team_workers(struct bench *b, const struct variant *v)
{
	return v->strategy == STRATEGY_PARALLEL ?
		b->workers[v->team.priority][v->team.unbound] :
		NULL;
}

void add_value(struct arm *arm, enum channel channel, uint64_t value)
{
	struct values *values = &arm->channel[channel];

	if (values->count == values->room) {
		size_t room = values->room ? 2 * values->room : 64;
		uint64_t *grown = realloc(values->at, room * sizeof(*grown));

		if (!grown)
			abort(); /* a few kilobytes */
		values->at = grown;
		values->room = room;
	}
	values->at[values->count++] = value;
}

void add_fact(struct arm *arm, enum fact fact, uint64_t count)
{
	if (arm->fact[fact] < 0)
		arm->fact[fact] = 0;
	arm->fact[fact] += (int64_t)count;
}

void add_load_work(const struct bench *b, struct arm *arm,
		   const struct sample *sample)
{
	if (b->load)
		add_value(arm, CHANNEL_LOAD_WORK, sample->load_work);
}

void prepare_caches(const struct bench *b, const struct span *span)
{
	size_t bytes = span->stride * span->folios;

	/* Cold needs no work: the pools are larger than the caches. */
	if (b->cell.src_warm)
		warm_source(span->src, bytes);
	if (b->cell.dst_warm)
		warm_destination(span->dst, bytes);
}

struct workers *begin_sample(struct bench *b, const struct variant *v,
			     struct sample *sample)
{
	struct workers *w = team_workers(b, v);

	if (w) {
		workers_ready(w, &v->team);
		sample->worker_cpu_ns = workers_cpu_ns(w);
	}
	sample->load_work = load_work(b->load);
	sample->caller_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	return w;
}

void end_sample(const struct bench *b, const struct variant *v,
		struct workers *w, struct sample *sample)
{
	sample->caller_cpu_ns =
		clock_ns(CLOCK_THREAD_CPUTIME_ID) - sample->caller_cpu_ns;
	sample->load_work = load_work(b->load) - sample->load_work;
	if (w) {
		workers_rest(w, &v->team);
		sample->worker_cpu_ns =
			workers_cpu_ns(w) - sample->worker_cpu_ns;
	}
}
