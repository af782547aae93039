// SPDX-License-Identifier: MIT
/*
 * arm64: copy_page() stores with a non-temporal hint, memcpy() does not.
 * Source: arch/arm64/lib/copy_page.S, written anew from what it does. It is
 * a loop of ldp and stnp since 4.6, and MOPS where the CPU has it since 6.13.
 */
#include "primitives.h"

#ifdef __aarch64__
#include <sys/auxv.h>

#ifndef HWCAP2_MOPS
#define HWCAP2_MOPS (1ul << 43)
#endif

#define ARM64(fn) .copy = fn

/* clang-format off */
#define LOAD(store, a, b, at)						\
	"ldp " a ", " b ", [%[s], #" at "]\n\t"
#define STORE(store, a, b, at)						\
	store " " a ", " b ", [%[t], #" at "]\n\t"
#define STORE_AND_LOAD(store, a, b, at)					\
	STORE(store, a, b, at) LOAD(store, a, b, at)

/* 64 bytes, and 128 */
#define FOUR_PAIRS(DO, store)						\
	DO(store, "x2", "x3", "0")					\
	DO(store, "x4", "x5", "16")					\
	DO(store, "x6", "x7", "32")					\
	DO(store, "x8", "x9", "48")
#define EIGHT_PAIRS(DO, store)						\
	FOUR_PAIRS(DO, store)						\
	DO(store, "x10", "x11", "64")					\
	DO(store, "x12", "x13", "80")					\
	DO(store, "x14", "x15", "96")					\
	DO(store, "x16", "x17", "112")
#define PAIRS								\
	"x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",	\
	"x12", "x13", "x14", "x15", "x16", "x17"

/*
 * A block of 128 bytes is stored while the next one is loaded. The kernel's
 * pages have no odd half; one here comes last.
 */
#define DEFINE_PAIR_COPY(name, store)					\
static void name(void *dst, const void *src, size_t len)		\
{									\
	size_t blocks = len / 128;					\
									\
	if (blocks)							\
		__asm__ volatile(					\
			EIGHT_PAIRS(LOAD, store)			\
			"subs %[n], %[n], #1\n\t"			\
			"add %[s], %[s], #128\n\t"			\
			"b.eq 2f\n"					\
			"1:\n\t"					\
			"subs %[n], %[n], #1\n\t"			\
			EIGHT_PAIRS(STORE_AND_LOAD, store)		\
			"add %[t], %[t], #128\n\t"			\
			"add %[s], %[s], #128\n\t"			\
			"b.ne 1b\n"					\
			"2:\n\t"					\
			EIGHT_PAIRS(STORE, store)			\
			"add %[t], %[t], #128"				\
			: [s] "+r" (src), [t] "+r" (dst),		\
			  [n] "+r" (blocks)				\
			: : PAIRS, "cc", "memory");			\
	if (len % 128)							\
		__asm__ volatile(					\
			FOUR_PAIRS(LOAD, store)				\
			FOUR_PAIRS(STORE, store)			\
			: : [s] "r" (src), [t] "r" (dst)		\
			: PAIRS, "memory");				\
}
/* clang-format on */

DEFINE_PAIR_COPY(copy_ldp_stnp, "stnp")
DEFINE_PAIR_COPY(copy_ldp_stp, "stp")

/* In numbers, as assemblers before binutils 2.38 do not know the names. */
static void copy_mops(void *dst, const void *src, size_t len)
{
	register void *to __asm__("x0") = dst;
	register const void *from __asm__("x1") = src;
	register size_t left __asm__("x2") = len;

	__asm__ volatile(".inst 0x1d014440\n\t" /* cpypwn [x0]!, [x1]!, x2! */
			 ".inst 0x1d414440\n\t" /* cpymwn [x0]!, [x1]!, x2! */
			 ".inst 0x1d814440"	/* cpyewn [x0]!, [x1]!, x2! */
			 : "+r"(to), "+r"(from), "+r"(left)
			 :
			 : "cc", "memory");
}

static int has_mops(void)
{
	return (getauxval(AT_HWCAP2) & HWCAP2_MOPS) != 0;
}

static int has_no_mops(void)
{
	return !has_mops();
}
#else
#define ARM64(fn)   .copy = NULL
#define has_mops    NULL
#define has_no_mops NULL
#endif

/* There is no copy_mc_to_kernel(): migration calls copy_page() to this day. */
const struct primitive arm64_primitives[] = {
	{
		.name = "ldp-stnp",
		.desc = "pipelined ldp/stnp: copy_page()",
		.needs = "an arm64 CPU",
		.roles = ROLE(OWN_THEN) | ROLE(OWN_NOW) | ROLE(STREAMING),
		.now_here = has_no_mops,
		ARM64(copy_ldp_stnp),
	},
	{
		.name = "mops",
		.desc = "cpypwn, cpymwn, cpyewn: copy_page() with MOPS",
		.needs = "an arm64 CPU with MOPS",
		.runs_here = has_mops,
		.roles = ROLE(OWN_NOW),
		ARM64(copy_mops),
	},
	{
		.name = "ldp-stp",
		.desc = "pipelined ldp/stp: cached stores",
		.needs = "an arm64 CPU",
		ARM64(copy_ldp_stp),
	},
	{}
};
