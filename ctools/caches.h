/* SPDX-License-Identifier: MIT */
#ifndef CACHES_H
#define CACHES_H

#include <stddef.h>

/* Bytes, 0: not known. Of CPU 0; and all that these CPUs have, each once. */
size_t last_level_cache(void);
size_t last_level_caches(const int *cpus, unsigned int count);

#endif
