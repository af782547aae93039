/* SPDX-License-Identifier: MIT */
#ifndef BUFFERS_H
#define BUFFERS_H

#include <stddef.h>
#include <stdint.h>

/* Of the running kernel, in bytes: 64 KiB and 512 MiB on some arm64. */
size_t base_page_size(void);
size_t pmd_size(void); /* of a huge page; 2 MiB where it does not tell */

/* What a pool shall be made of; AUTO takes base pages when it must. */
enum backing { BACKING_HUGE, BACKING_BASE, BACKING_AUTO };

/* Folios one after the other, with a page of guard before and after. */
struct pool {
	char *start;
	size_t bytes;
	size_t huge_bytes; /* of them, found to be behind huge pages */
	void *map;
	size_t map_bytes;
};

/* Why there is no pool; what to do about it each program knows itself. */
enum pool_wrong {
	POOL_IS_THERE,
	POOL_NO_MEMORY,
	POOL_NO_NODE,  /* none of that number, or without memory */
	POOL_NOT_HUGE, /* where BACKING_HUGE was asked for */
};

/* Where it fails, nothing is left to destroy. node -1: anywhere. */
enum pool_wrong pool_create(struct pool *pool, size_t bytes,
			    enum backing backing, int node);
void pool_destroy(struct pool *pool);

/* mbind() to one node; -1 and errno where it cannot be. */
int bind_to_node(void *start, size_t bytes, int node, unsigned int flags);

/* Bytes of the pool that huge pages are behind now. */
size_t pool_huge_bytes(const struct pool *pool);

/* Each 8-byte word is unique: number "nth" of a source pool holds this. */
static inline uint64_t unique_word(uint64_t nth)
{
	/* An odd factor maps the numbers one to one; 0 is nobody's word. */
	return (nth + 1) * 0x9e3779b97f4a7c15u;
}

void fill_unique(struct pool *src);

/*
 * Before and after a copy of "bytes" at "offset": spoil() writes what no
 * source holds over the destination and marks what lies around it;
 * first_wrong() returns where source, destination or surroundings are not as
 * they must be, relative to the offset, or NOTHING_WRONG.
 */
#define NOTHING_WRONG INT64_MAX
void spoil(struct pool *dst, size_t offset, size_t bytes);
int64_t first_wrong(const struct pool *dst, const struct pool *src,
		    size_t offset, size_t bytes);

/* Brings a range into the caller's cache, as read or as written. */
void warm_source(const char *start, size_t bytes);
void warm_destination(char *start, size_t bytes);

size_t memory_available(void); /* bytes, SIZE_MAX: not known */

#endif
