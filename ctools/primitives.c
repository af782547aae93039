// SPDX-License-Identifier: MIT
/* The table over all copy primitives, and the portable ones. */
#include <stdint.h>
#include <string.h>

#include "primitives.h"

/* Keeps the compiler from turning a loop into a call of memcpy(). */
#define as_written() __asm__ volatile("" : : : "memory")

static void copy_libc(void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len);
}

/* The loop of copy_mc_fragile(): one 8-byte load and store at a time. */
static void copy_word8(void *dst, const void *src, size_t len)
{
	const uint64_t *from = src;
	uint64_t *to = dst;

	for (size_t i = 0; i < len / 8; i++) {
		to[i] = from[i];
		as_written();
	}
}

static void copy_byte(void *dst, const void *src, size_t len)
{
	const unsigned char *from = src;
	unsigned char *to = dst;

	for (size_t i = 0; i < len; i++) {
		to[i] = from[i];
		as_written();
	}
}

/* Moves nothing: what is left is what the bench itself costs. */
static void copy_empty(void *dst, const void *src, size_t len)
{
	(void)dst;
	(void)src;
	(void)len;
}

const struct primitive generic_primitives[] = {
	{
		.name = "libc",
		.desc = "the C library's memcpy()",
		.copy = copy_libc,
		.roles = ROLE(LIBC),
	},
	{
		.name = "word8",
		.desc = "one 8-byte load and store at a time: copy_mc_fragile()",
		.copy = copy_word8,
		.roles = ROLE(CAREFUL),
	},
	{
		.name = "byte",
		.desc = "one byte at a time: the floor",
		.copy = copy_byte,
		.roles = ROLE(FLOOR),
	},
	{
		.name = "empty",
		.desc = "copies nothing: the cost of the bench itself",
		.copy = copy_empty,
		.roles = ROLE(NOTHING),
	},
	{}
};

/* clang-format off */
const char *const role_words[] = {
	[ROLE_OWN_THEN] = "own-then",
	[ROLE_OWN_NOW] = "own-now",
	[ROLE_LIBC] = "libc",
	[ROLE_FALLBACK] = "fallback",
	[ROLE_CAREFUL] = "careful",
	[ROLE_FLOOR] = "floor",
	[ROLE_STREAMING] = "streaming",
	[ROLE_FLUSHCACHE] = "flushcache",
	[ROLE_NOTHING] = "nothing",
	NULL,
};
/* clang-format on */

static const struct primitive *const tables[] = {
	generic_primitives,
	x86_primitives,
	arm64_primitives,
#ifdef PLANTED
	planted_primitives,
#endif
};

const struct primitive *primitive_nth(unsigned int n)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct primitive *p = tables[t]; p->name; p++)
			if (n-- == 0)
				return p;
	return NULL;
}

const struct primitive *primitive_find(const char *name)
{
	const struct primitive *p;

	for (unsigned int n = 0; (p = primitive_nth(n)); n++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

static int plays_here(const struct primitive *p, enum role role)
{
	if (!(p->roles & 1u << role) || primitive_lacks(p))
		return 0;
	return role != ROLE_OWN_NOW || !p->now_here || p->now_here();
}

const struct primitive *primitive_of_role(enum role role)
{
	const struct primitive *p;

	for (unsigned int n = 0; (p = primitive_nth(n)); n++)
		if (plays_here(p, role))
			return p;
	return NULL;
}

unsigned int primitive_roles(const struct primitive *p)
{
	if (p == primitive_of_role(ROLE_OWN_NOW))
		return p->roles;
	return p->roles & ~ROLE(OWN_NOW);
}

const char *primitive_lacks(const struct primitive *p)
{
	if (p->copy && (!p->runs_here || p->runs_here()))
		return NULL;
	return p->needs;
}
