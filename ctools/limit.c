// SPDX-License-Identifier: MIT
/* A CPU limit for the caller alone: who is charged for what workers do? */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "limit.h"

#define PERIOD_US      5000 /* short, so that one copy of many spans many */
#define LEAST_QUOTA_US 1000 /* that the kernel takes */

static struct {
	char base[1100], own[1200];
	int version;
	int enabled_cpu; /* in base, for its children: version 2 */
	pid_t janitor;
	int alive; /* what the janitor sees end */
} group;

static int write_text(const char *folder, const char *name, const char *text)
{
	char path[1400];
	int fd, failed;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	failed = write(fd, text, strlen(text)) < 0;
	close(fd);
	return failed ? -1 : 0;
}

/* Whether "cpu" is one of the words of a line. */
static int names_cpu(const char *line, const char *separators)
{
	char copy[1024], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", line);
	while ((word = strsep(&rest, separators)))
		if (!strcmp(word, "cpu"))
			return 1;
	return 0;
}

static int file_names_cpu(const char *folder, const char *name)
{
	char path[1400], text[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return names_cpu(text, " \n");
}

/* This process's own cgroup with the cpu controller, of either version. */
static int find_base(void)
{
	char line[1024], *path;
	FILE *file = fopen("/proc/self/cgroup", "r");

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		path = strrchr(line, ':');
		if (!path)
			continue;
		*path++ = '\0';
		if (!strcmp(path, "/"))
			path = "";
		if (names_cpu(line, ":,")) {
			group.version = 1;
			snprintf(group.base, sizeof(group.base),
				 "/sys/fs/cgroup/cpu%s", path);
			break;
		}
		snprintf(group.base, sizeof(group.base), "/sys/fs/cgroup%s",
			 path);
		if (!strcmp(line, "0:") &&
		    file_names_cpu(group.base, "cgroup.controllers")) {
			group.version = 2;
			break;
		}
	}
	if (file)
		fclose(file);
	return group.version;
}

static int is_gone(pid_t maker)
{
	return maker == getpid() || (kill(maker, 0) && errno == ESRCH);
}

/*
 * Returns how many groups of other pagecopies there are. One whose maker was
 * killed together with its janitor is still there, and removed now; if
 * somebody is inside all the same, the kernel keeps it.
 */
static int sweep_others(void)
{
	DIR *base = opendir(group.base);
	struct dirent *entry;
	int maker, found = 0;

	while (base && (entry = readdir(base)))
		if (sscanf(entry->d_name, "pagecopy-%d", &maker) == 1)
			found += !is_gone(maker) ||
				unlinkat(dirfd(base), entry->d_name,
					 AT_REMOVEDIR) != 0;
	if (base)
		closedir(base);
	return found;
}

static void remove_group(void)
{
	/* Whoever was inside may need a moment to be gone. */
	for (int i = 0; i < 1000 && rmdir(group.own) && errno != ENOENT; i++)
		sleep_ns(1000000);
	if (group.enabled_cpu && !sweep_others())
		write_text(group.base, "cgroup.subtree_control", "-cpu");
}

/*
 * A child that outlives this process just long enough to clean up: it waits
 * for the end of a pipe that nobody writes to, and has nothing else open.
 */
static int start_janitor(void)
{
	int fd[2];
	char nothing;

	if (pipe2(fd, O_CLOEXEC))
		return -1;
	group.alive = fd[1];
	group.janitor = fork();
	switch (group.janitor) {
	case -1:
		close(fd[0]);
		close(fd[1]);
		return -1;
	case 0:
		setsid();
		for (int other = 0; other < 1024; other++)
			if (other != fd[0])
				close(other);
		while (read(fd[0], &nothing, 1) < 0 && errno == EINTR)
			;
		remove_group();
		_exit(0);
	}
	close(fd[0]);
	return 0;
}

static int limit_version_1(const char *quota, const char *period,
			   const char *tid)
{
	return mkdir(group.own, 0755) ||
		write_text(group.own, "cpu.cfs_period_us", period) ||
		write_text(group.own, "cpu.cfs_quota_us", quota) ||
		write_text(group.own, "tasks", tid);
}

/*
 * Threads of one process in two cgroups: the child is made "threaded", which
 * makes its parent their common domain and lets it have threads of its own.
 */
static int limit_version_2(const char *quota, const char *period,
			   const char *tid)
{
	char max[64];

	snprintf(max, sizeof(max), "%s %s", quota, period);
	if (mkdir(group.own, 0755) ||
	    write_text(group.own, "cgroup.type", "threaded"))
		return -1;
	if (group.enabled_cpu &&
	    write_text(group.base, "cgroup.subtree_control", "+cpu"))
		return -1;
	return write_text(group.own, "cpu.max", max) ||
		write_text(group.own, "cgroup.threads", tid);
}

const char *limit_begin(unsigned int percent)
{
	static char message[256];
	unsigned int period_us = PERIOD_US;
	char tid[32], quota[32], period[32];
	int failed;

	if (period_us * percent / 100 < LEAST_QUOTA_US)
		period_us = LEAST_QUOTA_US * 100 / percent;
	snprintf(period, sizeof(period), "%u", period_us);
	snprintf(quota, sizeof(quota), "%u", period_us * percent / 100 + 1);
	if (!find_base())
		return "no cgroup here has the cpu controller: run without "
		       "--limit";
	snprintf(group.own, sizeof(group.own), "%s/pagecopy-%d", group.base,
		 (int)getpid());
	sweep_others();
	group.enabled_cpu = group.version == 2 &&
		!file_names_cpu(group.base, "cgroup.subtree_control");
	snprintf(tid, sizeof(tid), "%ld", syscall(SYS_gettid));
	if (start_janitor())
		return "cannot make a process: see ulimit -u";
	failed = group.version == 1 ? limit_version_1(quota, period, tid) :
				      limit_version_2(quota, period, tid);
	if (!failed)
		return NULL;
	snprintf(message, sizeof(message),
		 "cgroups (version %d) cannot be "
		 "made here: %s: run as root, or without --limit",
		 group.version, strerror(errno));
	limit_end();
	return message;
}

void limit_end(void)
{
	char tid[32];

	if (!group.version)
		return;
	snprintf(tid, sizeof(tid), "%ld", syscall(SYS_gettid));
	write_text(group.base, group.version == 1 ? "tasks" : "cgroup.threads",
		   tid);
	/* The janitor does the rest, as it would had we been killed. */
	close(group.alive);
	waitpid(group.janitor, NULL, 0);
	group.version = 0;
}
