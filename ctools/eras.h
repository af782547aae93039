/* SPDX-License-Identifier: MIT */
#ifndef ERAS_H
#define ERAS_H

/* How some kernel copies a huge page, base page by base page. */
struct era {
	const char *variant; /* that does the same */
	const char *kernel;
	const char *functions; /* of that kernel, outermost first */
	const char *note;
};

/* Oldest first, of every architecture; ends with one without a variant. */
extern const struct era eras[];

/* NULL where its routine runs on this CPU, else what it lacks. */
const char *era_lacks(const struct era *era);
/* Whether a kernel of today takes it on this CPU, as far as it tells us. */
int era_is_todays(const struct era *era);

#endif
