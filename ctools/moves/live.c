// SPDX-License-Identifier: MIT
/* Steps of the series in the place of the kernel's own copy: ctools/kmod. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "moves.h"

#define LIVE "/sys/kernel/debug/pagecopy/live"

const struct live_step live_steps[] = {
	{ "off", "the unpatched kernel" },
	{ "loop", "the kernel's loop, in the module" },
	{ "bulk", "one bulk copy" },
	{ "highpri:N", "N worker(s), system_highpri_wq" },
	{ "unbound:N", "N worker(s), system_unbound_wq" },
	{}
};

/* highpri:2 is the table's highpri:N; how many there may be the module says. */
static int is_step(const char *text, const char *step)
{
	size_t len = strlen(step) - 1;

	if (step[len] != 'N')
		return !strcmp(text, step);
	return !strncmp(text, step, len) && text[len] &&
		!text[len + strspn(text + len, "0123456789")];
}

void check_steps(const char *list)
{
	char *copy = strdup(list), *rest = copy, *text;

	if (!copy)
		leave(CANNOT, "not enough memory: take fewer steps");
	while ((text = strsep(&rest, ","))) {
		const struct live_step *known = live_steps;

		while (known->step && !is_step(text, known->step))
			known++;
		if (!known->step)
			leave(CANNOT,
			      "--live=%s: unknown step '%s': off, loop, bulk, "
			      "highpri:N or unbound:N",
			      list, text);
	}
	free(copy);
}

void set_live(const char *step)
{
	static const char *current = "";
	int fd;

	if (!strcmp(step, current))
		return;
	current = step;
	fd = open(LIVE, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		leave(CANNOT,
		      "--live=%s: %s: %s: is ctools/kmod loaded, and "
		      "are you root?",
		      step, LIVE, strerror(errno));
	if (write(fd, step, strlen(step)) < 0)
		leave(CANNOT,
		      "--live=%s: the kernel refuses: %s: off, loop, "
		      "bulk, highpri:N or unbound:N; and is sysctl "
		      "kernel.ftrace_enabled 1?",
		      step, strerror(errno));
	close(fd);
}

/* A step that no move went through would be measured as what it is not. */
void check_live(const char *step)
{
	long folios = 0, pages = 0;
	FILE *file;

	if (!strcmp(step, "off"))
		return;
	file = fopen(LIVE, "r");
	if (file &&
	    fscanf(file, "%*[^,], folios %ld, base pages %ld", &folios,
		   &pages) != 2)
		folios = pages = 0;
	if (file)
		fclose(file);
	if (folios + pages == 0)
		leave(CANNOT,
		      "--live=%s: this kernel's migration does not go "
		      "through what was replaced",
		      step);
}

/* The next move is to be the kernel's own, unless SIGKILL ends this. */
static void put_back(void)
{
	int fd = open(LIVE, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "off", 3);
	close(fd);
}

static void put_back_and_die(int number)
{
	put_back();
	_exit(128 + number);
}

void put_back_at_end(void)
{
	atexit(put_back);
	signal(SIGINT, put_back_and_die);
	signal(SIGTERM, put_back_and_die);
	signal(SIGHUP, put_back_and_die);
}
