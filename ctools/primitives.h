/* SPDX-License-Identifier: MIT */
#ifndef PRIMITIVES_H
#define PRIMITIVES_H

#include <stddef.h>

/*
 * Every length a primitive is given is a multiple of this, and every address
 * aligned to it: page copies are, and parallel copies are split on it.
 */
#define COPY_ALIGN	64

typedef void copy_fn(void *dst, const void *src, size_t len);

struct primitive {
	const char *name;
	const char *desc;
	copy_fn *copy;			/* NULL: not built for this machine */
	const char *needs;		/* what it needs, for the reader */
	int (*runs_here)(void);		/* NULL: wherever it is built */
};

/* Terminated by an entry without a name; "memcpy" comes first. */
extern const struct primitive generic_primitives[];
extern const struct primitive x86_primitives[];
extern const struct primitive arm64_primitives[];
extern const struct primitive planted_primitives[];	/* -DPLANTED only */

/* The nth primitive over all tables, NULL past the last one. */
const struct primitive *primitive_nth(unsigned int n);
const struct primitive *primitive_find(const char *name);

/* NULL where the primitive runs on this CPU, else what it lacks. */
const char *primitive_lacks(const struct primitive *p);

#endif
