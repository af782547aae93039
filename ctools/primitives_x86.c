// SPDX-License-Identifier: MIT
/*
 * The instruction sequences an x86-64 kernel copies pages with, and the ones
 * it could use. Sources: arch/x86/lib/copy_page_64.S, memcpy_64.S,
 * copy_mc_64.S and usercopy_64.c, written anew here from what they do.
 */
#include "primitives.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#include <stdint.h>

#define X86(fn) .copy = fn
#define AVX2	__attribute__((target("avx2")))
#define AVX512	__attribute__((target("avx512f")))

/* copy_page() on a CPU with REP_GOOD. */
static void copy_movsq(void *dst, const void *src, size_t len)
{
	size_t words = len / 8;

	__asm__ volatile("rep movsq"
			 : "+D"(dst), "+S"(src), "+c"(words)
			 :
			 : "memory");
}

/* copy_mc_enhanced_fast_string() with ERMS, memcpy() with FSRM. */
static void copy_movsb(void *dst, const void *src, size_t len)
{
	__asm__ volatile("rep movsb"
			 : "+D"(dst), "+S"(src), "+c"(len)
			 :
			 : "memory");
}

/* memcpy_orig(): four 8-byte registers loaded, then stored, per turn. */
static void copy_unrolled(void *dst, const void *src, size_t len)
{
	uint64_t a, b, c, d;

	for (size_t off = 0; off < len; off += 32)
		__asm__ volatile(
			"movq   (%[s], %[o]), %[a]\n\t"
			"movq  8(%[s], %[o]), %[b]\n\t"
			"movq 16(%[s], %[o]), %[c]\n\t"
			"movq 24(%[s], %[o]), %[d]\n\t"
			"movq %[a],   (%[t], %[o])\n\t"
			"movq %[b],  8(%[t], %[o])\n\t"
			"movq %[c], 16(%[t], %[o])\n\t"
			"movq %[d], 24(%[t], %[o])"
			: [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
			: [s] "r"(src), [t] "r"(dst), [o] "r"(off)
			: "memory");
}

/* One turn of copy_page_regs(): 64 bytes through eight registers. */
static inline void copy_line_regs(char *dst, const char *src)
{
	uint64_t a, b, c, d, e, f, g, h;

	__asm__ volatile(
		"movq   (%[s]), %[a]\n\t"
		"movq  8(%[s]), %[b]\n\t"
		"movq 16(%[s]), %[c]\n\t"
		"movq 24(%[s]), %[d]\n\t"
		"movq 32(%[s]), %[e]\n\t"
		"movq 40(%[s]), %[f]\n\t"
		"movq 48(%[s]), %[g]\n\t"
		"movq 56(%[s]), %[h]\n\t"
		"movq %[a],   (%[t])\n\t"
		"movq %[b],  8(%[t])\n\t"
		"movq %[c], 16(%[t])\n\t"
		"movq %[d], 24(%[t])\n\t"
		"movq %[e], 32(%[t])\n\t"
		"movq %[f], 40(%[t])\n\t"
		"movq %[g], 48(%[t])\n\t"
		"movq %[h], 56(%[t])"
		: [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d),
		  [e] "=&r"(e), [f] "=&r"(f), [g] "=&r"(g), [h] "=&r"(h)
		: [s] "r"(src), [t] "r"(dst)
		: "memory");
}

/* copy_page_regs(): prefetches five lines ahead, but not past the end. */
static void copy_regs64(void *dst, const void *src, size_t len)
{
	const size_t ahead = 5 * 64;
	size_t off = 0;

	for (; off + ahead < len; off += 64) {
		_mm_prefetch((const char *)src + off + ahead, _MM_HINT_T0);
		copy_line_regs((char *)dst + off, (const char *)src + off);
	}
	for (; off < len; off += 64)
		copy_line_regs((char *)dst + off, (const char *)src + off);
}

/*
 * memcpy_flushcache(): non-temporal stores of 8 bytes, no SIMD register. The
 * kernel leaves the fence to the caller, who must not forget it.
 */
static void copy_movnti(void *dst, const void *src, size_t len)
{
	uint64_t a, b, c, d;

	for (size_t off = 0; off < len; off += 32)
		__asm__ volatile(
			"movq   (%[s], %[o]), %[a]\n\t"
			"movq  8(%[s], %[o]), %[b]\n\t"
			"movq 16(%[s], %[o]), %[c]\n\t"
			"movq 24(%[s], %[o]), %[d]\n\t"
			"movnti %[a],   (%[t], %[o])\n\t"
			"movnti %[b],  8(%[t], %[o])\n\t"
			"movnti %[c], 16(%[t], %[o])\n\t"
			"movnti %[d], 24(%[t], %[o])"
			: [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
			: [s] "r"(src), [t] "r"(dst), [o] "r"(off)
			: "memory");
	/* Streamed stores are weakly ordered: done means seen by others. */
	_mm_sfence();
}

static void copy_nt_sse2(void *dst, const void *src, size_t len)
{
	const __m128i *from = src;
	__m128i *to = dst;

	for (size_t i = 0; i < len / 16; i += 4) {
		__m128i a = _mm_load_si128(from + i);
		__m128i b = _mm_load_si128(from + i + 1);
		__m128i c = _mm_load_si128(from + i + 2);
		__m128i d = _mm_load_si128(from + i + 3);

		_mm_stream_si128(to + i, a);
		_mm_stream_si128(to + i + 1, b);
		_mm_stream_si128(to + i + 2, c);
		_mm_stream_si128(to + i + 3, d);
	}
	_mm_sfence();
}

static AVX2 void copy_nt_avx2(void *dst, const void *src, size_t len)
{
	const __m256i *from = src;
	__m256i *to = dst;

	for (size_t i = 0; i < len / 32; i += 2) {
		__m256i a = _mm256_load_si256(from + i);
		__m256i b = _mm256_load_si256(from + i + 1);

		_mm256_stream_si256(to + i, a);
		_mm256_stream_si256(to + i + 1, b);
	}
	_mm_sfence();
}

static AVX512 void copy_nt_avx512(void *dst, const void *src, size_t len)
{
	const __m512i *from = src;
	__m512i *to = dst;

	for (size_t i = 0; i < len / 64; i++)
		_mm512_stream_si512(to + i, _mm512_load_si512(from + i));
	_mm_sfence();
}

static inline AVX2 void stream_line(char *to, const char *from)
{
	__m256i a = _mm256_load_si256((const __m256i *)from);
	__m256i b = _mm256_load_si256((const __m256i *)(from + 32));

	_mm256_stream_si256((__m256i *)to, a);
	_mm256_stream_si256((__m256i *)(to + 32), b);
}

/*
 * Four 4 KiB pages abreast: four DRAM pages and four prefetch streams are
 * open at once, where a single stream leaves the memory waiting.
 */
static AVX2 void copy_nt_4pages(void *dst, const void *src, size_t len)
{
	const size_t page = 4096, block = 4 * page, ahead = 8 * 64;
	const char *from = src;
	char *to = dst;
	size_t off = 0;

	for (; off + block <= len; off += block)
		for (size_t line = 0; line < page; line += 64)
			for (size_t at = off + line; at < off + block;
			     at += page) {
				_mm_prefetch(from + at + ahead, _MM_HINT_T0);
				stream_line(to + at, from + at);
			}
	for (; off < len; off += 64)
		stream_line(to + off, from + off);
	_mm_sfence();
}

static AVX2 void copy_avx2(void *dst, const void *src, size_t len)
{
	const __m256i *from = src;
	__m256i *to = dst;

	for (size_t i = 0; i < len / 32; i += 2) {
		__m256i a = _mm256_load_si256(from + i);
		__m256i b = _mm256_load_si256(from + i + 1);

		_mm256_store_si256(to + i, a);
		_mm256_store_si256(to + i + 1, b);
	}
}

static AVX512 void copy_avx512(void *dst, const void *src, size_t len)
{
	const __m512i *from = src;
	__m512i *to = dst;

	for (size_t i = 0; i < len / 64; i++)
		_mm512_store_si512(to + i, _mm512_load_si512(from + i));
}

static int has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

static int has_avx512(void)
{
	return __builtin_cpu_supports("avx512f");
}
/*
 * What copy_mc_to_kernel() looks at: ERMS itself, FSRM through memcpy(). A
 * kernel also drops ERMS where firmware has switched fast strings off, which
 * user space cannot see.
 */
static int has_fast_strings(void)
{
	const unsigned int erms = 1u << 9, fsrm = 1u << 4; /* in EBX, in EDX */
	unsigned int a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
		(b & erms || d & fsrm);
}

static int has_slow_strings(void)
{
	return !has_fast_strings();
}
#else
#define X86(fn)		 .copy = NULL
#define has_fast_strings NULL
#define has_slow_strings NULL
#define has_avx2	 NULL
#define has_avx512	 NULL
#endif

const struct primitive x86_primitives[] = {
	{
		.name = "movsq",
		.desc = "rep movsq: copy_page() with REP_GOOD",
		.needs = "an x86-64 CPU",
		.roles = ROLE(OWN_THEN),
		X86(copy_movsq),
	},
	{
		.name = "movsb",
		.desc = "rep movsb: memcpy() with FSRM, copy_mc with ERMS",
		.needs = "an x86-64 CPU",
		.roles = ROLE(OWN_NOW),
		.now_here = has_fast_strings,
		X86(copy_movsb),
	},
	{
		.name = "unrolled",
		.desc = "4 x 8-byte loop: memcpy_orig()",
		.needs = "an x86-64 CPU",
		.roles = ROLE(OWN_NOW) | ROLE(FALLBACK),
		.now_here = has_slow_strings,
		X86(copy_unrolled),
	},
	{
		.name = "regs64",
		.desc = "64-byte register loop with prefetch: copy_page_regs()",
		.needs = "an x86-64 CPU",
		X86(copy_regs64),
	},
	{
		.name = "avx2",
		.desc = "32-byte cached loads and stores",
		.needs = "a CPU with AVX2",
		.runs_here = has_avx2,
		.fpu = 1,
		X86(copy_avx2),
	},
	{
		.name = "avx512",
		.desc = "64-byte cached loads and stores",
		.needs = "a CPU with AVX-512F",
		.runs_here = has_avx512,
		.fpu = 1,
		X86(copy_avx512),
	},
	{
		.name = "movnti",
		.desc = "8-byte non-temporal stores: memcpy_flushcache()",
		.needs = "an x86-64 CPU",
		.roles = ROLE(FLUSHCACHE),
		X86(copy_movnti),
	},
	{
		.name = "nt-sse2",
		.desc = "16-byte non-temporal stores",
		.needs = "an x86-64 CPU",
		.fpu = 1,
		X86(copy_nt_sse2),
	},
	{
		.name = "nt-avx2",
		.desc = "32-byte non-temporal stores",
		.needs = "a CPU with AVX2",
		.runs_here = has_avx2,
		.roles = ROLE(STREAMING),
		.fpu = 1,
		X86(copy_nt_avx2),
	},
	{
		.name = "nt-avx512",
		.desc = "64-byte non-temporal stores",
		.needs = "a CPU with AVX-512F",
		.runs_here = has_avx512,
		.fpu = 1,
		X86(copy_nt_avx512),
	},
	{
		.name = "nt-4pages",
		.desc = "non-temporal stores, four pages abreast, prefetched",
		.needs = "a CPU with AVX2",
		.runs_here = has_avx2,
		.fpu = 1,
		X86(copy_nt_4pages),
	},
	{}
};
