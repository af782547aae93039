// SPDX-License-Identifier: MIT
/* Where the folios are: huge-page-backed pools, checked to be so. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "buffers.h"

#define MPOL_BIND      2
#define HPAGE_PMD_SIZE "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"

size_t base_page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

size_t pmd_size(void)
{
	static size_t bytes;
	FILE *file;

	if (bytes)
		return bytes;
	file = fopen(HPAGE_PMD_SIZE, "r");
	if (!file || fscanf(file, "%zu", &bytes) != 1 || !bytes)
		bytes = 2ul << 20;
	if (file)
		fclose(file);
	return bytes;
}

static char *align_up(char *p, size_t to)
{
	return (char *)(((uintptr_t)p + to - 1) / to * to);
}

/* Sums a field of /proc/self/smaps over the mappings inside [start, end). */
static size_t smaps_bytes(const char *field, const char *start, const char *end)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	size_t total = 0, kb, len = strlen(field);
	unsigned long low, high;
	int inside = 0;
	char line[512];

	if (!smaps)
		return 0;
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &low, &high) == 2)
			inside = low >= (uintptr_t)start &&
				high <= (uintptr_t)end;
		else if (inside && !strncmp(line, field, len) &&
			 sscanf(line + len, ": %zu kB", &kb) == 1)
			total += kb << 10;
	}
	fclose(smaps);
	return total;
}

int bind_to_node(void *start, size_t bytes, int node, unsigned int flags)
{
	unsigned long mask[16] = { 0 };
	const unsigned int bits = 8 * sizeof(mask[0]);

	if (node < 0 || (size_t)node >= bits * 16) {
		errno = EINVAL;
		return -1;
	}
	mask[(unsigned int)node / bits] = 1ul << ((unsigned int)node % bits);
	return (int)syscall(SYS_mbind, start, bytes, MPOL_BIND, mask, bits * 16,
			    flags);
}

/* Faults everything in, so that no sample has a page fault in it. */
static void populate(struct pool *pool)
{
	volatile char *p = pool->start;
	size_t page = base_page_size();

	for (size_t off = 0; off < pool->bytes; off += page)
		p[off] = 1;
}

static size_t whole_pages(size_t bytes)
{
	return (bytes + pmd_size() - 1) / pmd_size() * pmd_size();
}

size_t pool_huge_bytes(const struct pool *pool)
{
	size_t huge = smaps_bytes("AnonHugePages", pool->start,
				  pool->start + whole_pages(pool->bytes));

	return huge < pool->bytes ? huge : pool->bytes;
}

/*
 * The pool is a mapping of its own: aligned by hand, then given its advice,
 * which splits it from the guards, so that smaps counts it exactly.
 */
enum pool_wrong pool_create(struct pool *pool, size_t bytes,
			    enum backing backing, int node)
{
	size_t whole = whole_pages(bytes);

	if (whole > memory_available() / 2)
		return POOL_NO_MEMORY;
	pool->bytes = bytes;
	pool->map_bytes = whole + 2 * pmd_size();
	pool->map = mmap(NULL, pool->map_bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->map == MAP_FAILED)
		return POOL_NO_MEMORY;
	pool->start =
		align_up((char *)pool->map + base_page_size(), pmd_size());

	madvise(pool->start, whole,
		backing == BACKING_BASE ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	if (node >= 0 && bind_to_node(pool->start, bytes, node, 0)) {
		pool_destroy(pool);
		return POOL_NO_NODE;
	}
	populate(pool);
	pool->huge_bytes = pool_huge_bytes(pool);
	if (backing == BACKING_HUGE && pool->huge_bytes < bytes) {
		pool_destroy(pool);
		return POOL_NOT_HUGE;
	}
	return POOL_IS_THERE;
}

void pool_destroy(struct pool *pool)
{
	munmap(pool->map, pool->map_bytes);
}

void fill_unique(struct pool *src)
{
	uint64_t *word = (uint64_t *)src->start;

	for (size_t i = 0; i < src->bytes / 8; i++)
		word[i] = unique_word(i);
}

/* Before the pool and after it there are guards, so this never leaves it. */
void spoil(struct pool *dst, size_t offset, size_t bytes)
{
	char *start = dst->start + offset;
	size_t guard = base_page_size();

	memset(start - guard, 0x5a, guard);
	memset(start, 0, bytes);
	memset(start + bytes, 0x5a, guard);
}

static int64_t first_not_marked(const char *start, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (start[i] != 0x5a)
			return (int64_t)i;
	return NOTHING_WRONG;
}

int64_t first_wrong(const struct pool *dst, const struct pool *src,
		    size_t offset, size_t bytes)
{
	const uint64_t *from = (const uint64_t *)(src->start + offset);
	const uint64_t *to = (const uint64_t *)(dst->start + offset);
	const char *start = dst->start + offset;
	size_t guard = base_page_size();
	int64_t at;

	for (size_t i = 0; i < bytes / 8; i++) {
		uint64_t word = unique_word(offset / 8 + i);

		if (to[i] != word || from[i] != word)
			return (int64_t)i * 8;
	}
	at = first_not_marked(start - guard, guard);
	if (at != NOTHING_WRONG)
		return at - (int64_t)guard;
	at = first_not_marked(start + bytes, guard);
	return at == NOTHING_WRONG ? at : (int64_t)bytes + at;
}

/* One access per 64-byte line is enough to have the line. */
void warm_source(const char *start, size_t bytes)
{
	for (size_t off = 0; off < bytes; off += 64)
		(void)*(volatile const char *)(start + off);
}

/* Written, not read: a page that was just cleared is dirty in the cache. */
void warm_destination(char *start, size_t bytes)
{
	for (size_t off = 0; off < bytes; off += 64)
		*(volatile char *)(start + off) = 0;
}

size_t memory_available(void)
{
	FILE *meminfo = fopen("/proc/meminfo", "r");
	size_t kb, found = SIZE_MAX;
	char line[128];

	if (!meminfo)
		return found;
	while (fgets(line, sizeof(line), meminfo))
		if (sscanf(line, "MemAvailable: %zu kB", &kb) == 1)
			found = kb << 10;
	fclose(meminfo);
	return found;
}
