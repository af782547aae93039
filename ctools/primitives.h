/* SPDX-License-Identifier: MIT */
#ifndef PRIMITIVES_H
#define PRIMITIVES_H

#include <stddef.h>

/*
 * Every length a primitive is given is a multiple of this, and every address
 * aligned to it: page copies are, and parallel copies are split on it.
 */
#define COPY_ALIGN 64

typedef void copy_fn(void *dst, const void *src, size_t len);

/* What a copy routine stands for, so that nobody has to go by its name. */
enum role {
	ROLE_OWN_THEN, /* the kernel's copy_page() as of 2017 */
	ROLE_OWN_NOW,  /* of migration now: folio_mc_copy(), 6.18 */
	ROLE_LIBC,
	ROLE_FALLBACK,	 /* the kernel's, on CPUs with slow strings */
	ROLE_CAREFUL,	 /* of copy_mc, byte-exact about faults */
	ROLE_FLOOR,	 /* nothing is slower */
	ROLE_STREAMING,	 /* stands for all non-temporal stores */
	ROLE_FLUSHCACHE, /* the same without FPU: memcpy_flushcache() */
	ROLE_NOTHING,
};
#define ROLE(name) (1u << ROLE_##name)

extern const char *const role_words[]; /* ends with NULL */

struct primitive {
	const char *name;
	const char *desc;
	copy_fn *copy;		/* NULL: not built for this machine */
	unsigned int roles;	/* ROLE() of each */
	int fpu;		/* a kernel must save FPU state for it */
	const char *needs;	/* what it needs, for the reader */
	int (*runs_here)(void); /* NULL: wherever it is built */
	int (*now_here)(void);	/* is it own-now here? NULL: wherever it runs */
};

/* Terminated by an entry without a name; "libc" comes first. */
extern const struct primitive generic_primitives[];
extern const struct primitive x86_primitives[];
extern const struct primitive arm64_primitives[];
extern const struct primitive planted_primitives[]; /* -DPLANTED only */

/* The nth primitive over all tables, NULL past the last one. */
const struct primitive *primitive_nth(unsigned int n);
const struct primitive *primitive_find(const char *name);
/* The first that runs here and has that role here, NULL where none does. */
const struct primitive *primitive_of_role(enum role role);
/* Its roles here: what is own-now elsewhere is not on this CPU. */
unsigned int primitive_roles(const struct primitive *p);

/* NULL where the primitive runs on this CPU, else what it lacks. */
const char *primitive_lacks(const struct primitive *p);

#endif
