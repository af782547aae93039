// SPDX-License-Identifier: MIT
/*
 * What was copied in the timed rounds is checked once they are over. So that
 * bytes of an earlier copy do not pass for those of the last one, a word in
 * each page of the source changes whenever the copies have gone through the
 * pools. It is the last one: what is lost is lost at the end of a part.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "probe.h"

#define STAMPED 4096u /* bytes that have a stamp each, at their end */

/* The last copy of a folio, of which this much must be in the destination. */
struct copied {
	const struct arm *arm; /* NULL: by nobody who vouches for it */
	uint64_t stamps;       /* what the source then had */
};

/* The end of the folio as well, as it may be smaller than a page. */
static int is_stamped(const struct bench *b, size_t offset)
{
	return (offset + 8) % STAMPED == 0 || offset + 8 == b->cell.folio;
}

static uint64_t stamp_of(const struct bench *b, size_t word, uint64_t stamps)
{
	return unique_word(word + stamps * (b->src.bytes / 8));
}

const char *stamps_open(struct bench *b)
{
	b->copied = calloc(b->cell.pairs, sizeof(*b->copied));
	return b->copied ? NULL : "not enough memory: take fewer --pairs";
}

static void stamp_folio(struct bench *b, size_t pair)
{
	size_t start = pair * b->cell.folio, end = start + b->cell.folio;

	for (size_t page = start; page < end; page += STAMPED) {
		size_t last = (end - page < STAMPED ? end : page + STAMPED) - 8;

		*(uint64_t *)(b->src.start + last) =
			stamp_of(b, last / 8, b->stamps);
	}
}

/* Not while anybody copies. */
void stamps_renew(struct bench *b)
{
	if (!b->wrapped)
		return;
	b->wrapped = 0;
	b->stamps++;
	for (size_t pair = 0; pair < b->cell.pairs; pair++)
		stamp_folio(b, pair);
}

void note_copy(struct bench *b, const struct arm *arm, const struct span *span)
{
	size_t first = (size_t)(span->src - b->src.start) / b->cell.folio;
	int vouched = copies_bytes(&arm->v) && !arm->v.defects;

	for (unsigned int i = 0; i < span->folios; i++)
		b->copied[first + i] = (struct copied){
			.arm = vouched ? arm : NULL,
			.stamps = b->stamps,
		};
}

static int64_t first_wrong_word(const struct bench *b, size_t pair)
{
	const struct copied *copied = &b->copied[pair];
	size_t first = pair * b->cell.folio / 8;
	const uint64_t *word = (const uint64_t *)b->dst.start + first;

	for (size_t i = 0; i < copied->arm->v.bytes / 8; i++) {
		uint64_t wanted = is_stamped(b, 8 * i) ?
			stamp_of(b, first + i, copied->stamps) :
			unique_word(first + i);

		if (word[i] != wanted)
			return (int64_t)i * 8;
	}
	return NOTHING_WRONG;
}

const char *stamps_check(const struct bench *b)
{
	static char message[256];

	for (size_t pair = 0; pair < b->cell.pairs; pair++) {
		const struct arm *arm = b->copied[pair].arm;
		int64_t wrong = arm ? first_wrong_word(b, pair) : NOTHING_WRONG;

		if (wrong == NOTHING_WRONG)
			continue;
		snprintf(message, sizeof(message),
			 "%s: wrong copy at byte %" PRId64 " of folio %zu, in "
			 "the timed rounds: no time is told",
			 arm->v.name, wrong, pair);
		return message;
	}
	return NULL;
}
