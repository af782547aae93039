// SPDX-License-Identifier: MIT
/* A sample is the first pass of reading over what was just copied. */
#include <semaphore.h>
#include <stdlib.h>

#include "../clock.h"
#include "../probe.h"

const char *const reader_words[] = {
	[READER_NONE] = "none",
	[READER_HERE] = "here",
	[READER_ELSEWHERE] = "elsewhere",
	NULL,
};

/* One on another CPU, who sleeps until there is something to read. */
struct reader {
	pthread_t thread;
	sem_t begin, done;
	int quit;
	struct span span;
	uint64_t ns;
};

/*
 * In order, as a program reads what it has asked for, so that prefetching helps
 * as it does there. A load for each line: what else a program does with a line
 * would hide a part of what the line costs.
 */
static uint64_t read_lines(const char *start, size_t bytes)
{
	uint64_t sum = 0;

	for (size_t off = 0; off < bytes; off += COPY_ALIGN)
		sum += *(const uint64_t *)(start + off);
	return sum;
}

static uint64_t timed_pass(const struct span *span)
{
	uint64_t sum = 0, start = now_ns(), end;

	for (unsigned int i = 0; i < span->folios; i++)
		sum += read_lines(span->dst + i * span->stride, span->folio);
	keep(sum);
	end = now_ns();
	return end - start;
}

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem))
		; /* a signal */
}

static void *reader_main(void *arg)
{
	struct reader *r = arg;

	for (;;) {
		wait_for(&r->begin);
		if (r->quit)
			return NULL;
		r->ns = timed_pass(&r->span);
		sem_post(&r->done);
	}
}

/* Without the time it takes to wake up, which is the same after any copy. */
static uint64_t pass_elsewhere(struct reader *r, const struct span *span)
{
	r->span = *span;
	sem_post(&r->begin);
	wait_for(&r->done);
	return r->ns;
}

static struct sample take_reader(struct bench *b, struct arm *arm)
{
	struct span span = next_span(b, &arm->v);
	struct sample sample;

	prepare_caches(b, &span);
	phase_begin(b, PHASE_SAMPLES);
	sample = time_copy(b, arm, &span);
	add_value(arm, CHANNEL_COPY, sample.ns);
	sample.ns = b->reader ? pass_elsewhere(b->reader, &span) :
				timed_pass(&span);
	return sample;
}

static int is_reader(const struct cell *cell, const struct variant *v)
{
	(void)v;
	return cell->reader != READER_NONE;
}

static const char *open_reader(struct bench *b)
{
	struct reader *r;

	if (b->cell.reader == READER_HERE)
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return "not enough memory for the reader";
	sem_init(&r->begin, 0, 0);
	sem_init(&r->done, 0, 0);
	if (start_on_cpu(&r->thread, b->cell.cpus[1], reader_main, r)) {
		free(r);
		return "cannot make a thread for the reader: see ulimit -u "
		       "and -v";
	}
	b->reader = r;
	return NULL;
}

static void close_reader(struct bench *b)
{
	struct reader *r = b->reader;

	if (!r)
		return;
	r->quit = 1;
	sem_post(&r->begin);
	pthread_join(r->thread, NULL);
	free(r);
}

const struct probe reader_probe = {
	.is_for = is_reader,
	.take = take_reader,
	.open = open_reader,
	.close = close_reader,
	.workers = team_size,
	.amount = bytes_copied,
	.heading = "time of reading what was copied, speed over the first\n"
		   "[95 % of repeats], median time of the copy\n",
};
