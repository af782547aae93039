// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Page copies measured inside a kernel, and replaced there. In debugfs:
 *   pagecopy/ladder   reading it measures: a line for each rung, a sample a round
 *   pagecopy/live     off | loop | bulk | highpri:N | unbound:N
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "pagecopy_kmod.h"

#define LADDER_TEXT (1u << 20) /* so that reading never measures twice */

static struct dentry *folder;
static DEFINE_MUTEX(ladder_lock);

static int ladder_locked(struct seq_file *out, void *unused)
{
	int failed = mutex_lock_interruptible(&ladder_lock);

	if (failed)
		return failed;
	failed = ladder_show(out, unused);
	mutex_unlock(&ladder_lock);
	return failed;
}

static int ladder_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, ladder_locked, NULL, LADDER_TEXT);
}

static const struct file_operations ladder_fops = {
	.owner = THIS_MODULE,
	.open = ladder_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static int live_open(struct inode *inode, struct file *file)
{
	return single_open(file, live_show, NULL);
}

static ssize_t live_write(struct file *file, const char __user *from,
			  size_t count, loff_t *at)
{
	char mode[32] = "";
	int failed;

	if (count >= sizeof(mode))
		return -EINVAL;
	if (copy_from_user(mode, from, count))
		return -EFAULT;
	failed = live_set(strim(mode));
	return failed ? failed : (ssize_t)count;
}

static const struct file_operations live_fops = {
	.owner = THIS_MODULE,
	.open = live_open,
	.read = seq_read,
	.write = live_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int __init pagecopy_init(void)
{
	int failed = ladder_init();

	if (failed)
		return failed;
	live_init();
	folder = debugfs_create_dir("pagecopy", NULL);
	debugfs_create_file("ladder", 0400, folder, NULL, &ladder_fops);
	debugfs_create_file("live", 0600, folder, NULL, &live_fops);
	return 0;
}

static void __exit pagecopy_exit(void)
{
	debugfs_remove_recursive(folder);
	live_exit();
	ladder_exit();
}

module_init(pagecopy_init);
module_exit(pagecopy_exit);
MODULE_DESCRIPTION(
	"Huge page copies: the serial ladder in a kernel, and the patch live");
MODULE_LICENSE("Dual MIT/GPL");
