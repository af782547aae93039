// SPDX-License-Identifier: MIT
/*
 * Kernels planted to be caught: a bench that lets them pass proves nothing.
 * Only in pagecopy-planted, never in pagecopy.
 */
#include <string.h>

#include "clock.h"
#include "primitives.h"

/* Drops the last word: the tail that two posted patches dropped. */
static void copy_truncated(void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len - 8);
}

/* Writes one word more than it was given. */
static void copy_overrun(void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len + 8);
}

/* Drops the last word, but only once it was verified. */
static void copy_late(void *dst, const void *src, size_t len)
{
	static _Atomic unsigned int calls;

	memcpy(dst, src, ++calls > 100 ? len - 8 : len);
}

/* Takes 3 % longer than memcpy(), whatever that takes. */
static void copy_slower(void *dst, const void *src, size_t len)
{
	uint64_t start = now_ns(), took;

	memcpy(dst, src, len);
	took = now_ns() - start;
	while (now_ns() - start < took + took * 3 / 100)
		;
}

/* Copies, and then keeps the CPU from everybody else for 2 ms. */
static void copy_starving(void *dst, const void *src, size_t len)
{
	uint64_t start = now_ns();

	memcpy(dst, src, len);
	while (now_ns() - start < 2000000)
		;
}

/* Copies, but only after a sleep: whoever waits for it gets the CPU first. */
static void copy_dozing(void *dst, const void *src, size_t len)
{
	sleep_ns(5000000);
	memcpy(dst, src, len);
}

/* Copies, and every tenth time sleeps as well, as an interrupt would. */
static void copy_interrupted(void *dst, const void *src, size_t len)
{
	static _Atomic unsigned int calls;

	if (++calls % 10 == 0)
		sleep_ns(5000000);
	memcpy(dst, src, len);
}

const struct primitive planted_primitives[] = {
	{
		.name = "planted-truncated",
		.desc = "planted: leaves the last word out",
		.copy = copy_truncated,
	},
	{
		.name = "planted-overrun",
		.desc = "planted: writes past the end",
		.copy = copy_overrun,
	},
	{
		.name = "planted-late",
		.desc = "planted: leaves the last word out from call 101 on",
		.copy = copy_late,
	},
	{
		.name = "planted-slower",
		.desc = "planted: 3 % slower than libc",
		.copy = copy_slower,
	},
	{
		.name = "planted-starving",
		.desc = "planted: keeps its CPU for 2 ms",
		.copy = copy_starving,
	},
	{
		.name = "planted-dozing",
		.desc = "planted: sleeps 5 ms before it copies",
		.copy = copy_dozing,
	},
	{
		.name = "planted-interrupted",
		.desc = "planted: sleeps 5 ms every tenth time",
		.copy = copy_interrupted,
	},
	{}
};
