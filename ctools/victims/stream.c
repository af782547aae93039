// SPDX-License-Identifier: MIT
/* A victim that needs memory's bandwidth: it reads more than caches hold. */
#include <stdlib.h>

#include "../buffers.h"
#include "../victims.h"

#define UNIT (64ul << 10)

struct stream {
	struct pool pool;
	size_t at;
};

static void *stream_open(const struct victim_kind *kind, const char **wrong)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s && !pool_create(&s->pool, kind->bytes(), BACKING_AUTO, -1))
		return s;
	free(s);
	*wrong = victim_no_memory;
	return NULL;
}

static void stream_unit(void *state)
{
	struct stream *s = state;
	const uint64_t *word = (const uint64_t *)(s->pool.start + s->at);
	uint64_t sum = 0;

	for (size_t i = 0; i < UNIT / 8; i += 4)
		sum += word[i] + word[i + 1] + word[i + 2] + word[i + 3];
	keep(sum);
	s->at += UNIT;
	if (s->at + UNIT > s->pool.bytes)
		s->at = 0;
}

static void stream_close(void *state)
{
	struct stream *s = state;

	pool_destroy(&s->pool);
	free(s);
}

const struct victim_kind stream_victim = {
	.name = "stream",
	.desc = "streaming read",
	.unit = "64 KiB read",
	.open = stream_open,
	.do_unit = stream_unit,
	.close = stream_close,
	.bytes = beyond_caches,
};
