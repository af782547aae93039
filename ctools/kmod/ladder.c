// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The serial ladder inside a kernel: how the page copies of one folio are
 * wrapped, what the wrapping costs without a copy, and the copy split over
 * workqueues. All rungs take turns in random order in every round. Long, as a
 * rung is a function and a line of the table below: both are best seen at once.
 */
#include <linux/highmem.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "pagecopy_kmod.h"

static unsigned int order = 9;
module_param(order, uint, 0444);
MODULE_PARM_DESC(order, "pages of a folio, as a power of two (9: 2 MiB)");

static unsigned int pairs = 16;
module_param(pairs, uint, 0444);
MODULE_PARM_DESC(pairs, "folios to copy from, and as many to copy to");

static unsigned int rounds = 32;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "samples of each rung");

/* Under instruction counting a TSC tick is an instruction; ns round it. */
bool counting;
module_param_named(ticks, counting, bool, 0444);
MODULE_PARM_DESC(ticks, "report ticks of the TSC in place of ns (x86)");

static struct page **src_folio, **dst_folio;

static u64 now(void)
{
#ifdef CONFIG_X86
	if (counting)
		return rdtsc_ordered();
#endif
	return ktime_get_ns();
}

/* Nothing reads it, and still it must be computed. */
#define KEEP(pointer) asm volatile("" : : "r"(pointer) : "memory")

/* The price of wrapping alone, for each page of a folio. */

static void cost_empty(struct page *dst, struct page *src, unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++)
		barrier();
}

static void cost_page_address(struct page *dst, struct page *src,
			      unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++)
		KEEP(page_address(src + i));
}

static void cost_kmap_atomic(struct page *dst, struct page *src,
			     unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++) {
		void *from = kmap_atomic(src + i), *to = kmap_atomic(dst + i);

		KEEP(from);
		KEEP(to);
		kunmap_atomic(to);
		kunmap_atomic(from);
	}
}

static void cost_kmap_local(struct page *dst, struct page *src,
			    unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++) {
		void *from = kmap_local_page(src + i);
		void *to = kmap_local_page(dst + i);

		KEEP(from);
		KEEP(to);
		kunmap_local(to);
		kunmap_local(from);
	}
}

static void cost_preempt(struct page *dst, struct page *src, unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++) {
		preempt_disable();
		barrier();
		preempt_enable();
	}
}

static void cost_pagefault(struct page *dst, struct page *src,
			   unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++) {
		preempt_disable();
		pagefault_disable();
		barrier();
		pagefault_enable();
		preempt_enable();
	}
}

static void cost_cond_resched(struct page *dst, struct page *src,
			      unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++)
		cond_resched();
}

/* The ladder. */

static void copy_2017(struct page *dst, struct page *src, unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++) {
		void *from, *to;

		cond_resched();
		from = kmap_atomic(src + i);
		to = kmap_atomic(dst + i);
		copy_page(to, from);
		kunmap_atomic(to);
		kunmap_atomic(from);
	}
}

/* As folio_copy() has it: no reschedule point behind the last page. */
void copy_loop(struct page *dst, struct page *src, unsigned int pages)
{
	for (unsigned int i = 0;;) {
		copy_highpage(dst + i, src + i);
		if (++i == pages)
			break;
		cond_resched();
	}
}

static void copy_bare(struct page *dst, struct page *src, unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++)
		copy_page(page_address(dst + i), page_address(src + i));
}

/*
 * memcpy(); but where instructions are counted, the rep movsq of copy_page(),
 * whose iterations then cancel. memcpy() itself has been an unrolled loop on
 * CPUs without FSRM since 6.4, and its instructions would be the copy's.
 */
static void copy_bytes(void *dst, const void *src, size_t bytes)
{
#ifdef CONFIG_X86
	unsigned long words = bytes / sizeof(long);

	if (counting) {
		asm volatile("rep; movs%z2"
			     : "+D"(dst), "+S"(src), "+c"(words)
			     :
			     : "memory");
		return;
	}
#endif
	memcpy(dst, src, bytes);
}

void copy_bulk(struct page *dst, struct page *src, unsigned int pages)
{
#ifdef PLANTED
	pages--; /* to be caught */
#endif
	copy_bytes(page_address(dst), page_address(src),
		   (size_t)pages * PAGE_SIZE);
}

#ifdef CONFIG_ARCH_HAS_COPY_MC
static void copy_bulk_mc(struct page *dst, struct page *src, unsigned int pages)
{
	(void)!copy_mc_to_kernel(page_address(dst), page_address(src),
				 (size_t)pages * PAGE_SIZE);
}
#endif

/* A part of a copy that waits on a workqueue. */
struct part {
	struct work_struct work;
	void *dst;
	const void *src;
	size_t bytes;
};

static void copy_part(struct work_struct *work)
{
	struct part *part = container_of(work, struct part, work);

	copy_bytes(part->dst, part->src, part->bytes);
}

static unsigned int nth_cpu(unsigned int nth)
{
	unsigned int cpu =
		cpumask_nth(nth % num_online_cpus(), cpu_online_mask);

	/* One may have gone between the two. */
	return cpu < nr_cpu_ids ? cpu : WORK_CPU_UNBOUND;
}

int copy_split(struct page *dst, struct page *src, unsigned int pages,
	       const struct split *split)
{
	size_t bytes = (size_t)pages * PAGE_SIZE, start = 0;
	/* For each call, and without waiting, as in the series of 2025. */
	struct part *parts = kcalloc(split->parts, sizeof(*parts),
				     GFP_NOWAIT | __GFP_NOWARN);

	if (!parts)
		return -ENOMEM;
	for (unsigned int i = 0; i < split->parts; i++) {
		/* Whole cache lines, and nothing left over. */
		size_t end = bytes / 64 * (i + 1) / split->parts * 64;

		parts[i].dst = page_address(dst) + start;
		parts[i].src = page_address(src) + start;
		parts[i].bytes = end - start;
		start = end;
		INIT_WORK(&parts[i].work, copy_part);
		if (split->bound)
			queue_work_on(nth_cpu(i), split->queue, &parts[i].work);
		else
			queue_work(split->queue, &parts[i].work);
	}
	for (unsigned int i = 0; i < split->parts; i++)
		flush_work(&parts[i].work);
	kfree(parts);
	return 0;
}

/* Its name changed in 6.17, and warns under the old one. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define unbound_queue system_dfl_wq
#else
#define unbound_queue system_unbound_wq
#endif

int parse_split(const char *text, struct split *split)
{
	if (!strncmp(text, "highpri:", 8))
		*split = (struct split){ system_highpri_wq, 0, true };
	else if (!strncmp(text, "unbound:", 8))
		*split = (struct split){ unbound_queue, 0, false };
	else
		return -EINVAL;
	if (kstrtouint(text + 8, 10, &split->parts) || !split->parts ||
	    split->parts > MOST_PARTS)
		return -EINVAL;
	return 0;
}

struct rung {
	const char *name;
	void (*run)(struct page *dst, struct page *src, unsigned int pages);
	bool copies;
	bool needs_address; /* not of a page in high memory */
};

static const struct rung rungs[] = {
	{ "cost:empty", cost_empty },
	{ "cost:page_address", cost_page_address },
	{ "cost:kmap_atomic", cost_kmap_atomic },
	{ "cost:kmap_local", cost_kmap_local },
	{ "cost:preempt", cost_preempt },
	{ "cost:preempt+pagefault", cost_pagefault },
	{ "cost:cond_resched", cost_cond_resched },
	{ "serial:page:map=2017", copy_2017, true },
	{ "serial:page:map=2026", copy_loop, true },
	{ "serial:page", copy_bare, true, true },
	{ "serial:bulk", copy_bulk, true, true },
#ifdef CONFIG_ARCH_HAS_COPY_MC
	{ "serial:bulk:mc", copy_bulk_mc, true, true },
#endif
	/* Without a function: the rest of the name says how it is split. */
	{ "parallel:highpri:1", NULL, true, true },
	{ "parallel:highpri:2", NULL, true, true },
	{ "parallel:highpri:4", NULL, true, true },
	{ "parallel:unbound:1", NULL, true, true },
	{ "parallel:unbound:2", NULL, true, true },
	{ "parallel:unbound:4", NULL, true, true },
};

static int run_rung(const struct rung *rung, unsigned int pair)
{
	struct page *dst = dst_folio[pair], *src = src_folio[pair];
	struct split split;

	if (rung->run) {
		rung->run(dst, src, 1u << order);
		return 0;
	}
	if (parse_split(rung->name + strlen("parallel:"), &split))
		return -EINVAL;
	return copy_split(dst, src, 1u << order, &split);
}

static u32 unique_word(size_t n)
{
	return (u32)n * 2654435761u + 1;
}

static void fill(struct page *folio, bool unique)
{
	size_t words = PAGE_SIZE / sizeof(u32);

	for (unsigned int i = 0; i < 1u << order; i++) {
		u32 *word = kmap_local_page(folio + i);

		for (size_t w = 0; w < words; w++)
			word[w] = unique ? unique_word(i * words + w) : 0;
		kunmap_local(word);
		cond_resched();
	}
}

/* The first page that differs, -1 if none. */
static int first_wrong(struct page *folio)
{
	size_t words = PAGE_SIZE / sizeof(u32);

	for (unsigned int i = 0; i < 1u << order; i++) {
		const u32 *word = kmap_local_page(folio + i);
		size_t w = 0;

		while (w < words && word[w] == unique_word(i * words + w))
			w++;
		kunmap_local(word);
		if (w < words)
			return i;
		cond_resched();
	}
	return -1;
}

static int verify(const struct rung *rung)
{
	int wrong;

	fill(dst_folio[0], false);
	if (run_rung(rung, 0))
		return -ENOMEM;
	wrong = first_wrong(dst_folio[0]);
	if (wrong < 0)
		return 0;
	pr_err("pagecopy: %s: wrong copy at page %d of %u: not timed\n",
	       rung->name, wrong, 1u << order);
	return -EIO;
}

/* Why a rung makes no sense here, NULL where it does. */
static const char *skipped(const struct rung *rung)
{
	if (rung->needs_address && PageHighMem(src_folio[0]))
		return "the folios are in high memory";
	if (counting && strstr(rung->name, ":mc"))
		return "its instructions would be the copy's own";
	return NULL;
}

static u32 random_next(u32 *state)
{
	/* xorshift32 (Marsaglia): the same order everywhere */
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static int measure(u64 *samples)
{
	unsigned int turn[ARRAY_SIZE(rungs)], pair = 0;
	u32 state = 1;

	for (unsigned int i = 0; i < ARRAY_SIZE(rungs); i++)
		turn[i] = i;
	/* The first round is not kept: the second writes over it. */
	for (unsigned int round = 0; round <= rounds; round++) {
		for (unsigned int i = ARRAY_SIZE(rungs); i > 1; i--) {
			unsigned int j = random_next(&state) % i;

			swap(turn[i - 1], turn[j]);
		}
		for (unsigned int i = 0; i < ARRAY_SIZE(rungs); i++) {
			u64 *sample = &samples[turn[i] * rounds];
			u64 start;

			if (skipped(&rungs[turn[i]]))
				continue;
			pair = (pair + 1) % pairs;
			start = now();
			if (run_rung(&rungs[turn[i]], pair))
				return -ENOMEM;
			sample[round ? round - 1 : 0] = now() - start;
			cond_resched();
		}
		if (signal_pending(current))
			return -EINTR;
	}
	return 0;
}

static void show(struct seq_file *out, const u64 *samples)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(rungs); i++) {
		if (skipped(&rungs[i])) {
			seq_printf(out, "skipped %s: %s\n", rungs[i].name,
				   skipped(&rungs[i]));
			continue;
		}
		seq_puts(out, rungs[i].name);
		for (unsigned int r = 0; r < rounds; r++)
			seq_printf(out, " %llu", samples[i * rounds + r]);
		seq_putc(out, '\n');
	}
}

int ladder_show(struct seq_file *out, void *unused)
{
	u64 *samples = vcalloc(ARRAY_SIZE(rungs) * rounds, sizeof(*samples));
	int failed = samples ? 0 : -ENOMEM;

	for (unsigned int i = 0; !failed && i < ARRAY_SIZE(rungs); i++)
		if (rungs[i].copies && !skipped(&rungs[i]))
			failed = verify(&rungs[i]);
	if (!failed)
		failed = measure(samples);
	if (!failed) {
		seq_printf(out, "unit %s\npages %u\nhighmem %d\n",
			   counting ? "ticks" : "ns", 1u << order,
			   !!PageHighMem(src_folio[0]));
		show(out, samples);
	}
	vfree(samples);
	return failed;
}

static void free_folios(struct page **folios)
{
	for (unsigned int i = 0; folios && i < pairs; i++)
		if (folios[i])
			__free_pages(folios[i], order);
	kfree(folios);
}

static struct page **allocate_folios(void)
{
	struct page **folios = kcalloc(pairs, sizeof(*folios), GFP_KERNEL);

	for (unsigned int i = 0; folios && i < pairs; i++) {
		folios[i] = alloc_pages(GFP_HIGHUSER | __GFP_COMP |
						__GFP_NOWARN | __GFP_NORETRY,
					order);
		if (!folios[i]) {
			free_folios(folios);
			return NULL;
		}
	}
	return folios;
}

int ladder_init(void)
{
	/* What the buddy allocator keeps in one piece; it grew by one in 6.4. */
	if (order > 10 || !pairs || pairs > 4096 || !rounds || rounds > 1000) {
		pr_err("pagecopy: order= is at most 10, pairs= 1 to 4096, rounds= 1 to 1000\n");
		return -EINVAL;
	}
#ifndef CONFIG_X86
	counting = false;
#endif
	src_folio = allocate_folios();
	dst_folio = src_folio ? allocate_folios() : NULL;
	if (!dst_folio) {
		ladder_exit();
		pr_err("pagecopy: no memory for 2 x %u folios of order %u: take fewer pairs=\n",
		       pairs, order);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < pairs; i++)
		fill(src_folio[i], true);
	return 0;
}

void ladder_exit(void)
{
	free_folios(src_folio);
	free_folios(dst_folio);
	src_folio = dst_folio = NULL;
}
