/* SPDX-License-Identifier: MIT */
#ifndef LIMIT_H
#define LIMIT_H

/*
 * Puts the calling thread, and threads it makes from now on, into a cgroup of
 * its own that may use so many percent of one CPU; threads that are there
 * already stay outside, as a kernel's workers would. The cgroup goes away
 * with this process whatever ends it. Returns NULL, or why it cannot be.
 */
const char *limit_begin(unsigned int percent);
void limit_end(void);

#endif
