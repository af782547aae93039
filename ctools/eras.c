// SPDX-License-Identifier: MIT
/* The copies of migration in kernels that were read, as variants. */
#include "eras.h"
#include "variant.h"

#define COPY_4_10 "copy_huge_page() -> copy_highpage() -> copy_page()"
#define COPY_6_1  "folio_copy() -> copy_highpage() -> copy_page()"
#define COPY_6_18 "folio_mc_copy() -> copy_mc_highpage() -> "

const struct era eras[] = {
	{
		.variant = "serial:page:movsq:map=2017",
		.kernel = "4.10",
		.functions = COPY_4_10,
		.note = "x86 with REP_GOOD, CONFIG_PREEMPT_COUNT=y: a ceiling, "
			"as CONFIG_PREEMPT=y has no call of cond_resched()",
	},
	{
		.variant = "serial:page:movsq:map=2017-voluntary",
		.kernel = "4.10",
		.functions = COPY_4_10,
		.note = "x86 with REP_GOOD, CONFIG_PREEMPT_COUNT=n: "
			"preempt_disable() is a compiler barrier",
	},
	{
		.variant = "serial:page:movsq:map=2026",
		.kernel = "6.1",
		.functions = COPY_6_1,
		.note = "x86 with REP_GOOD",
	},
	{
		.variant = "serial:page:movsb:map=2026",
		.kernel = "6.18",
		.functions = COPY_6_18 "copy_mc_to_kernel()",
		.note = "x86 with ERMS or FSRM",
	},
	{
		.variant = "serial:page:unrolled:map=2026",
		.kernel = "6.18",
		.functions = COPY_6_18 "copy_mc_to_kernel() -> memcpy_orig()",
		.note = "x86 with neither ERMS nor FSRM",
	},
	{
		.variant = "serial:page:word8:map=2026",
		.kernel = "6.18",
		.functions = COPY_6_18 "copy_mc_to_kernel() -> "
				       "copy_mc_fragile()",
		.note = "x86 with copy_mc_fragile_key, which quirks of some "
			"Xeons and mce=recovery set: user space cannot see it",
	},
	{
		.variant = "serial:page:ldp-stnp:map=2017",
		.kernel = "4.10",
		.functions = COPY_4_10,
		.note = "arm64, CONFIG_PREEMPT_COUNT=y: a ceiling as above",
	},
	{
		.variant = "serial:page:ldp-stnp:map=2017-voluntary",
		.kernel = "4.10",
		.functions = COPY_4_10,
		.note = "arm64, CONFIG_PREEMPT_COUNT=n",
	},
	{
		.variant = "serial:page:ldp-stnp:map=2026",
		.kernel = "6.18",
		.functions = COPY_6_18 "copy_highpage() -> copy_page()",
		.note = "arm64 without MOPS: it has no copy_mc_to_kernel()",
	},
	{
		.variant = "serial:page:mops:map=2026",
		.kernel = "6.18",
		.functions = COPY_6_18 "copy_highpage() -> copy_page()",
		.note = "arm64 with MOPS, which copy_page() takes since 6.13",
	},
	{}
};

/* Not NULL: a test reads every row of the table. */
static struct variant variant_of(const struct era *era)
{
	struct variant v;

	variant_parse(&v, era->variant);
	return v;
}

const char *era_lacks(const struct era *era)
{
	return primitive_lacks(variant_of(era).primitive);
}

int era_is_todays(const struct era *era)
{
	const struct variant v = variant_of(era);

	return v.map == MAP_2026 &&
		v.primitive == primitive_of_role(ROLE_OWN_NOW);
}
