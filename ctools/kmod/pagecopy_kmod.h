/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PAGECOPY_KMOD_H
#define PAGECOPY_KMOD_H

#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/types.h>

struct workqueue_struct;

/* On which queue the parts of a copy wait, and how many there are. */
struct split {
	struct workqueue_struct *queue;
	unsigned int parts; /* 64 at the most */
	bool bound;	    /* one CPU each, in turn, as in 2017 */
};

#define MOST_PARTS 64

/* Part after part of the pages; sleeps until all of them are done. */
int copy_split(struct page *dst, struct page *src, unsigned int pages,
	       const struct split *split);
void copy_bulk(struct page *dst, struct page *src, unsigned int pages);
void copy_loop(struct page *dst, struct page *src, unsigned int pages);

/* Ticks of the TSC are reported, not ns: see ladder.c. */
extern bool counting;

/* "highpri:2" or "unbound:4"; -EINVAL for anything else. */
int parse_split(const char *text, struct split *split);

int ladder_init(void);
void ladder_exit(void);
int ladder_show(struct seq_file *out, void *unused);

/* Replaces what the kernel copies a folio with: "off" puts it back. */
void live_init(void);
void live_exit(void);
int live_set(const char *mode);
int live_show(struct seq_file *out, void *unused);

#endif
