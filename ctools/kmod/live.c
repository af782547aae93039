// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The patch, live: what the kernel copies a folio with is replaced, so that
 * move_pages(2) of an unpatched kernel runs each step of the series in turn.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/highmem.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "pagecopy_kmod.h"

/* Elsewhere a new instruction pointer is not all that a jump needs. */
#if defined(CONFIG_DYNAMIC_FTRACE_WITH_REGS) && defined(CONFIG_X86)

enum step { OFF, LOOP, BULK, SPLIT };

static struct {
	enum step step;
	struct split split;
	char mode[32];
} live = { .mode = "off" };

static DEFINE_MUTEX(live_lock);
static int found;		    /* functions there are to replace */
static atomic_t inside;		    /* calls that have not returned */
static atomic_long_t folios, bases; /* copied by us, by their kind */

/*
 * Splitting sleeps. So may the copy of anonymous pages on behalf of a system
 * call, which is what is to be measured; but pages with buffers are copied
 * under a spinlock, and who reclaims must not wait for a common workqueue.
 */
static bool may_split(struct folio *src)
{
	return folio_test_anon(src) && !(current->flags & PF_MEMALLOC);
}

/* High memory has no address to copy in one go. */
static void copy_folio(struct folio *dst, struct folio *src)
{
	unsigned int pages = (unsigned int)folio_nr_pages(src);
	enum step step = READ_ONCE(live.step);
	bool mapped = !PageHighMem(&src->page) && !PageHighMem(&dst->page);

	atomic_long_inc(pages > 1 ? &folios : &bases);
	if (step == SPLIT && mapped && may_split(src) &&
	    !copy_split(&dst->page, &src->page, pages, &live.split))
		return;
	if (step == BULK && mapped)
		copy_bulk(&dst->page, &src->page, pages);
	else
		copy_loop(&dst->page, &src->page, pages);
}

/*
 * Of this shape are folio_copy() and, but for the result, folio_mc_copy(),
 * which would tell of poisoned memory: no copy of ours survives that.
 */
static int live_folio_copy(struct folio *dst, struct folio *src)
{
	atomic_inc(&inside);
	copy_folio(dst, src);
	atomic_dec(&inside);
	return 0;
}

static void notrace redirect(unsigned long ip, unsigned long parent_ip,
			     struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);

	if (regs)
		instruction_pointer_set(regs, (unsigned long)live_folio_copy);
}

static struct ftrace_ops ops = {
	.func = redirect,
	/* Permanent: sysctl kernel.ftrace_enabled must not undo it silently. */
	.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY |
		FTRACE_OPS_FL_PERMANENT,
};

static int put_back(void)
{
	int failed;

	if (live.step == OFF)
		return 0;
	failed = unregister_ftrace_function(&ops);
	if (failed) {
		/* Calls still come in, so the module may never go. */
		__module_get(THIS_MODULE);
		pr_err("pagecopy: cannot put the kernel's copy back: %d\n",
		       failed);
		return failed;
	}
	live.step = OFF;
	/*
	 * Nobody comes in any more. Who is inside may sleep there, and so be
	 * seen by no grace period: first they leave, then their last step.
	 */
	while (atomic_read(&inside))
		msleep(1);
	synchronize_rcu_tasks();
	return 0;
}

void live_init(void)
{
	static char *const names[] = { "folio_copy", "folio_mc_copy" };

	/*
	 * Migration calls the one or, since 6.11, the other. Once and for all:
	 * up to 6.12 a filter that was freed is not one that can be set again.
	 */
	for (int i = 0; i < ARRAY_SIZE(names); i++)
		found +=
			!ftrace_set_filter(&ops, names[i], strlen(names[i]), 0);
}

void live_exit(void)
{
	live_set("off");
	ftrace_free_filter(&ops);
}

int live_set(const char *mode)
{
	struct split split = {};
	enum step step;
	int failed = 0;

	if (!strcmp(mode, "off"))
		step = OFF;
	else if (!strcmp(mode, "loop"))
		step = LOOP;
	else if (!strcmp(mode, "bulk"))
		step = BULK;
	else if (!parse_split(mode, &split))
		step = SPLIT;
	else
		return -EINVAL;

	mutex_lock(&live_lock);
	failed = put_back();
	if (!failed) {
		strscpy(live.mode, step == OFF ? "off" : mode,
			sizeof(live.mode));
		atomic_long_set(&folios, 0);
		atomic_long_set(&bases, 0);
		live.split = split;
		live.step = step;
		if (step != OFF)
			failed = found ? register_ftrace_function(&ops) :
					 -ENOENT;
		if (failed) {
			live.step = OFF;
			strscpy(live.mode, "off", sizeof(live.mode));
		}
	}
	mutex_unlock(&live_lock);
	return failed;
}

int live_show(struct seq_file *out, void *unused)
{
	mutex_lock(&live_lock);
	seq_printf(out, "%s, folios %ld, base pages %ld\n", live.mode,
		   atomic_long_read(&folios), atomic_long_read(&bases));
	mutex_unlock(&live_lock);
	return 0;
}

#else /* no way to replace a function */

void live_init(void)
{
}

void live_exit(void)
{
}

int live_set(const char *mode)
{
	return strcmp(mode, "off") ? -EOPNOTSUPP : 0;
}

int live_show(struct seq_file *out, void *unused)
{
	seq_puts(out, "off: this kernel cannot replace a function\n");
	return 0;
}

#endif
