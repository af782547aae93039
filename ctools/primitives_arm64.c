// SPDX-License-Identifier: MIT
/*
 * arm64: copy_page() stores with a non-temporal hint (stnp), memcpy() does
 * not. Source: arch/arm64/lib/copy_page.S, written anew from what it does.
 */
#include "primitives.h"

#ifdef __aarch64__
#define ARM64(fn) .copy = fn

/* clang-format off */
#define DEFINE_PAIR_COPY(name, store)					\
static void name(void *dst, const void *src, size_t len)		\
{									\
	for (size_t off = 0; off < len; off += 64) {			\
		const char *from = (const char *)src + off;		\
		char *to = (char *)dst + off;				\
									\
		__asm__ volatile(					\
			"prfm pldl1strm, [%[s], #512]\n\t"		\
			"ldp x2, x3, [%[s]]\n\t"			\
			"ldp x4, x5, [%[s], #16]\n\t"			\
			"ldp x6, x7, [%[s], #32]\n\t"			\
			"ldp x8, x9, [%[s], #48]\n\t"			\
			store " x2, x3, [%[t]]\n\t"			\
			store " x4, x5, [%[t], #16]\n\t"		\
			store " x6, x7, [%[t], #32]\n\t"		\
			store " x8, x9, [%[t], #48]"			\
			: : [s] "r" (from), [t] "r" (to)		\
			: "x2", "x3", "x4", "x5", "x6", "x7", "x8",	\
			  "x9", "memory");				\
	}								\
}
/* clang-format on */

DEFINE_PAIR_COPY(copy_ldp_stnp, "stnp")
DEFINE_PAIR_COPY(copy_ldp_stp, "stp")
#else
#define ARM64(fn) .copy = NULL
#endif

const struct primitive arm64_primitives[] = {
	{
		.name = "ldp-stnp",
		.desc = "ldp/stnp with prefetch: copy_page()",
		.needs = "an arm64 CPU",
		/* There is no copy_mc here: migration calls copy_page(). */
		.roles = ROLE(OWN_THEN) | ROLE(OWN_NOW) | ROLE(STREAMING),
		ARM64(copy_ldp_stnp),
	},
	{
		.name = "ldp-stp",
		.desc = "ldp/stp with prefetch: cached stores",
		.needs = "an arm64 CPU",
		ARM64(copy_ldp_stp),
	},
	{}
};
