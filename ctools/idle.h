/* SPDX-License-Identifier: MIT */
#ifndef IDLE_H
#define IDLE_H

/*
 * A user-space stand-in for the kernel's per-CPU run queues: one line per
 * CPU, pages apart from the next, that says whether the CPU is busy. Only
 * the background load of this process writes it; a kernel would know of
 * everybody. CPUs are counted in the order of --cpus.
 */
#define IDLE_CPUS 1024

/* One more piece of work runs there, one less, or (0) just a write. */
void idle_publish(unsigned int nth, int more);
int idle_is_busy(unsigned int nth);

/* Looks at that many CPUs, one line each; how many are idle. */
unsigned int idle_scan(unsigned int cpus);

#endif
