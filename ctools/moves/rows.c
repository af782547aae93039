// SPDX-License-Identifier: MIT
/* Pages of one kind: made, moved, and looked at after each move. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../clock.h"
#include "moves.h"

#define MPOL_MF_MOVE 2
#define MAP_HUGE_1GB (30 << 26)

const struct page_kind kinds[KINDS] = {
	[KIND_BASE] = { "base", 4096 },
	[KIND_HUGE] = { "huge", 2ul << 20 },
	[KIND_GIGANTIC] = { "gigantic", 1ul << 30 },
};

static uint64_t now(void)
{
#ifdef __x86_64__
	if (opt.ticks)
		return __builtin_ia32_rdtsc();
#endif
	return now_ns();
}

long free_gigantic(int node)
{
	char path[128];
	long count = -1;
	FILE *file;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/node/node%d/hugepages"
		 "/hugepages-1048576kB/free_hugepages",
		 node);
	file = fopen(path, "r");
	if (file && fscanf(file, "%ld", &count) != 1)
		count = -1;
	if (file)
		fclose(file);
	return count;
}

static void bind_range(const struct pool *pool, int node, unsigned int flags)
{
	if (bind_to_node(pool->start, pool->bytes, node, flags))
		leave(CANNOT, "mbind to node %d: %s", node, strerror(errno));
}

static void make_gigantic(struct row *row)
{
	struct pool *pool = &row->pool;

	pool->bytes = row->count * kinds[KIND_GIGANTIC].bytes;
	pool->start = mmap(NULL, pool->bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
				   MAP_HUGE_1GB | MAP_NORESERVE,
			   -1, 0);
	if (pool->start == MAP_FAILED ||
	    free_gigantic(opt.from) < (long)row->count ||
	    free_gigantic(opt.to) < (long)row->count)
		leave(CANNOT,
		      "%s: needs %zu free 1 GiB pages on both nodes: "
		      "hugepagesz=1G hugepages=%d:%zu,%d:%zu on the kernel's "
		      "command line",
		      row->name, row->count, opt.from, row->count, opt.to,
		      row->count);
	bind_range(pool, opt.from, 0);
	for (size_t off = 0; off < pool->bytes; off += 4096)
		((volatile char *)pool->start)[off] = 1;
}

/* Base pages behind what is to be base pages, and huge ones likewise. */
static void make_pool(struct row *row)
{
	int huge = row->kind == KIND_HUGE;

	switch (pool_create(&row->pool, row->count * kinds[row->kind].bytes,
			    huge ? BACKING_HUGE : BACKING_BASE, opt.from)) {
	case POOL_IS_THERE:
		break;
	case POOL_NO_MEMORY:
		leave(CANNOT, "%s: not enough memory: take fewer pages",
		      row->name);
	case POOL_NO_NODE:
		leave(CANNOT,
		      "%s: cannot place memory on node %d: take another",
		      row->name, opt.from);
	case POOL_NOT_HUGE:
		leave(CANNOT,
		      "%s: no huge pages behind it: set "
		      "/sys/kernel/mm/transparent_hugepage/enabled to madvise, "
		      "or take base rows only",
		      row->name);
	}
	if (!huge && row->pool.huge_bytes)
		leave(CANNOT,
		      "%s: huge pages behind what is to be base pages: set "
		      "/sys/kernel/mm/transparent_hugepage/enabled to madvise",
		      row->name);
}

void make_pages(struct row *row)
{
	size_t each = kinds[row->kind].bytes;

	if (row->kind == KIND_GIGANTIC)
		make_gigantic(row);
	else
		make_pool(row);
	fill_unique(&row->pool);
	row->pages = calloc(row->count, sizeof(*row->pages));
	row->nodes = calloc(row->count, sizeof(*row->nodes));
	row->status = calloc(row->count, sizeof(*row->status));
	if (!row->pages || !row->nodes || !row->status)
		leave(CANNOT, "%s: not enough memory: take fewer pages",
		      row->name);
	for (size_t i = 0; i < row->count; i++)
		row->pages[i] = row->pool.start + i * each;
}

/* How many pages are not on a node. */
static size_t elsewhere(struct row *row, int node)
{
	size_t count = 0;

	if (syscall(SYS_move_pages, 0, row->count, row->pages, NULL,
		    row->status, 0))
		leave(CANNOT, "%s: move_pages: %s", row->name, strerror(errno));
	for (size_t i = 0; i < row->count; i++)
		count += row->status[i] != node;
	return count;
}

static void check_content(struct row *row)
{
	const uint64_t *word = (const uint64_t *)row->pool.start;

	for (size_t i = 0; i < row->pool.bytes / 8; i++)
		if (word[i] != unique_word(i))
			leave(WRONG_COPY,
			      "%s: wrong content at byte %zu of "
			      "%zu",
			      row->name, 8 * i, row->pool.bytes);
}

/* Split on the way, huge pages would be cheaper to move the next time. */
static void check_kind(struct row *row)
{
	size_t huge;

	if (row->kind != KIND_HUGE)
		return;
	huge = pool_huge_bytes(&row->pool);
	if (huge != row->pool.bytes)
		leave(CANNOT,
		      "%s: huge pages were split on the way: %zu of "
		      "%zu bytes are left",
		      row->name, huge, row->pool.bytes);
}

/* Returns what it took; pages may have stayed behind. */
static uint64_t try_to_move(struct row *row, int node)
{
	uint64_t start;

	for (size_t i = 0; i < row->count; i++)
		row->nodes[i] = node;
	start = now();
	if (row->with_mbind)
		bind_range(&row->pool, node, MPOL_MF_MOVE);
	else if (syscall(SYS_move_pages, 0, row->count, row->pages, row->nodes,
			 row->status, MPOL_MF_MOVE) < 0)
		leave(CANNOT, "%s: move_pages to node %d: %s", row->name, node,
		      strerror(errno));
	start = now() - start;
	return start ? start : 1;
}

uint64_t move(struct row *row, int from, int to)
{
	uint64_t took = try_to_move(row, to);
	size_t left = elsewhere(row, to);

	/* Somebody else may hold a page for a moment: all of it again. */
	for (int again = 0; left && again < 5; again++) {
		try_to_move(row, from);
		took = try_to_move(row, to);
		left = elsewhere(row, to);
	}
	if (left)
		leave(CANNOT,
		      "%s: %zu of %zu pages did not come to node %d: "
		      "is it full, or something else compacting memory?",
		      row->name, left, row->count, to);
	check_content(row);
	check_kind(row);
	return took;
}
