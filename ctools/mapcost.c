// SPDX-License-Identifier: MIT
/*
 * What mapping costs per extent. In user space there is nothing to map, so
 * these are models of the bookkeeping: the same counters, checks and address
 * arithmetic on thread-local memory, where the kernel has per-CPU and
 * per-task memory. Names are the kernel's.
 *
 * cond_resched() is a call, as in kernels with PREEMPT_NONE or _VOLUNTARY.
 * Full and lazy preemption have none at all: they preempt when they like.
 */
#include "clock.h"
#include "mapcost.h"

#define barrier()   __asm__ volatile("" : : : "memory")
#define unlikely(x) __builtin_expect(!!(x), 0)

/*
 * As on x86: the count holds an inverted need-resched bit, so that one
 * decrement tells both "not nested" and "somebody waits". Nobody ever waits
 * here, so the bit stays set and the count never reaches 0.
 */
#define PREEMPT_NEED_RESCHED 0x80000000u

static __thread volatile unsigned int preempt_count = PREEMPT_NEED_RESCHED;
static __thread volatile int pagefault_disabled;

static __attribute__((noinline, cold)) void preempt_schedule(void)
{
	barrier();
}

/* Without CONFIG_PREEMPT_COUNT they are compiler barriers. */
enum preempt { PREEMPT_COUNTED, PREEMPT_NOT_COUNTED };

static inline void preempt_disable(enum preempt counted)
{
	if (counted == PREEMPT_COUNTED)
		preempt_count = preempt_count + 1;
	barrier();
}

static inline void preempt_enable(enum preempt counted)
{
	barrier();
	if (counted == PREEMPT_NOT_COUNTED)
		return;
	preempt_count = preempt_count - 1;
	if (unlikely(!preempt_count))
		preempt_schedule();
}

static inline void pagefault_disable(void)
{
	pagefault_disabled = pagefault_disabled + 1;
	barrier();
}

static inline void pagefault_enable(void)
{
	barrier();
	pagefault_disabled = pagefault_disabled - 1;
}

static __attribute__((noinline)) void cond_resched(void)
{
	if (unlikely(!preempt_count))
		preempt_schedule();
}

/* From page number to address; the compiler may not fold it into the loop. */
static inline char *page_address(const char *start, size_t nth, size_t extent)
{
	__asm__ volatile("" : "+r"(nth));
	return (char *)start + nth * extent;
}

static inline char *kmap_atomic(enum preempt counted, const char *start,
				size_t nth, size_t extent)
{
	preempt_disable(counted);
	pagefault_disable();
	return page_address(start, nth, extent);
}

static inline void kunmap_atomic(enum preempt counted)
{
	pagefault_enable();
	preempt_enable(counted);
}

/* Calls of the primitive and nothing else. */
static void loop_none(char *dst, const char *src, size_t len, size_t extent,
		      copy_fn *copy, uint64_t delay_loops)
{
	(void)delay_loops;
	for (size_t off = 0; off < len; off += extent)
		copy(dst + off, src + off, extent);
}

/*
 * folio_copy() and folio_mc_copy(): kmap_local_page() is page_address()
 * without HIGHMEM.
 */
static void loop_2026(char *dst, const char *src, size_t len, size_t extent,
		      copy_fn *copy, uint64_t delay_loops)
{
	size_t pages = len / extent;

	(void)delay_loops;
	for (size_t i = 0; i < pages; i++) {
		if (i)
			cond_resched();
		copy(page_address(dst, i, extent), page_address(src, i, extent),
		     extent);
	}
}

/* copy_huge_page() of 2017: cond_resched(), then copy_highpage(). */
static inline __attribute__((always_inline)) void
copy_huge_page(enum preempt counted, char *dst, const char *src, size_t len,
	       size_t extent, copy_fn *copy)
{
	size_t pages = len / extent;

	for (size_t i = 0; i < pages; i++) {
		char *from, *to;

		cond_resched();
		from = kmap_atomic(counted, src, i, extent);
		to = kmap_atomic(counted, dst, i, extent);
		copy(to, from, extent);
		kunmap_atomic(counted);
		kunmap_atomic(counted);
	}
}

/*
 * Counts and calls: what CONFIG_PREEMPT=y paid for counting and =n for
 * cond_resched(). DEBUG_ATOMIC_SLEEP=y paid for both, so it is a ceiling.
 */
static void loop_2017(char *dst, const char *src, size_t len, size_t extent,
		      copy_fn *copy, uint64_t delay_loops)
{
	(void)delay_loops;
	copy_huge_page(PREEMPT_COUNTED, dst, src, len, extent, copy);
}

/* PREEMPT_VOLUNTARY, as most distributions built it. */
static void loop_2017_voluntary(char *dst, const char *src, size_t len,
				size_t extent, copy_fn *copy,
				uint64_t delay_loops)
{
	(void)delay_loops;
	copy_huge_page(PREEMPT_NOT_COUNTED, dst, src, len, extent, copy);
}

static inline void delay(uint64_t loops)
{
	while (loops--)
		__asm__ volatile("" : "+r"(loops));
}

static void loop_delay(char *dst, const char *src, size_t len, size_t extent,
		       copy_fn *copy, uint64_t delay_loops)
{
	for (size_t off = 0; off < len; off += extent) {
		delay(delay_loops);
		copy(dst + off, src + off, extent);
	}
}

const char *const map_words[] = {
	[MAP_NONE] = "none",   [MAP_2026] = "2026",
	[MAP_2017] = "2017",   [MAP_2017_VOLUNTARY] = "2017-voluntary",
	[MAP_DELAY] = "delay", NULL,
};

const struct map_cost map_costs[] = {
	[MAP_NONE] = {
		.desc = "calls of the primitive and nothing else",
		.loop = loop_none,
	},
	[MAP_2026] = {
		.desc = "folio_copy(), 6.1, and folio_mc_copy(), 6.18: "
			"page_address() twice, a call of cond_resched()",
		.loop = loop_2026,
	},
	[MAP_2017] = {
		.desc = "copy_huge_page(), 4.10: kmap_atomic() twice, which "
			"counts preemption, a call of cond_resched()",
		.loop = loop_2017,
	},
	[MAP_2017_VOLUNTARY] = {
		.desc = "the same with CONFIG_PREEMPT_COUNT=n: "
			"preempt_disable() is a compiler barrier",
		.loop = loop_2017_voluntary,
	},
	[MAP_DELAY] = {
		.desc = "a calibrated delay: delay=NS sets it",
		.loop = loop_delay,
	},
};

/* A delay takes fixed_ns + loops * loop_ns, fitted at two lengths. */
static double fixed_ns, loop_ns;

static void no_copy(void *dst, const void *src, size_t len)
{
	(void)dst;
	(void)src;
	(void)len;
	barrier();
}

static uint64_t time_delays(map_loop_fn *loop, uint64_t loops)
{
	const size_t calls = 512;
	uint64_t best = UINT64_MAX;
	char none;

	/* The least of many: interrupts only ever add. */
	for (int i = 0; i < 64; i++) {
		uint64_t start = now_ns(), took;

		loop(&none, &none, calls, 1, no_copy, loops);
		took = now_ns() - start;
		if (took < best)
			best = took;
	}
	return best;
}

double delay_achieved_ns(uint64_t loops)
{
	double with = time_delays(loop_delay, loops);
	double without = time_delays(loop_none, 0);

	return with > without ? (with - without) / 512 : 0;
}

void delay_calibrate(void)
{
	const uint64_t few = 100, many = 2100;
	double low = delay_achieved_ns(few), high = delay_achieved_ns(many);

	loop_ns = (high - low) / (double)(many - few);
	fixed_ns = low - loop_ns * (double)few;
}

uint64_t delay_loops_for(double ns)
{
	double loops = (ns - fixed_ns) / loop_ns;

	return loops > 0 ? (uint64_t)(loops + 0.5) : 0;
}
