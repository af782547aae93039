// SPDX-License-Identifier: MIT
/* Fresh processes, one after the other: each measures once. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pagecopy.h"

/* Each variant once: a baseline is in a cell several times. */
static int is_verified(const struct bench *b, unsigned int nth)
{
	for (unsigned int i = 0; i < nth; i++)
		if (!strcmp(b->arms[i].v.name, b->arms[nth].v.name))
			return 1;
	return 0;
}

static void verify_all(struct bench *b, enum output output)
{
	phase_begin(b, PHASE_VERIFY);
	for (unsigned int i = 0; i < b->count; i++) {
		const char *wrong =
			is_verified(b, i) ? NULL : bench_verify(b, &b->arms[i]);

		if (!wrong)
			continue;
		fprintf(stderr, "pagecopy: %s\n", wrong);
		/* A defect that was asked for may be timed, not vouched for. */
		if (!b->arms[i].v.defects || output == OUTPUT_VERIFY)
			exit(WRONG_COPY);
	}
}

static void check_rounds(struct bench *b)
{
	const char *wrong;

	phase_begin(b, PHASE_VERIFY);
	wrong = stamps_check(b);
	if (!wrong)
		return;
	fprintf(stderr, "pagecopy: %s\n", wrong);
	exit(WRONG_COPY);
}

static void must(const char *wrong)
{
	if (wrong)
		die("%s", wrong);
}

/* In a child, whose own output nobody reads. */
static void keep_samples(const struct bench *b, const char *file)
{
	if (!freopen(file, "a", stdout))
		die("--samples=%s: %s", file, strerror(errno));
	print_json(b);
	finish_output();
}

void verify(struct bench *b)
{
	must(bench_open(b));
	verify_all(b, OUTPUT_VERIFY);
	must(bench_burden(b));
	for (unsigned int i = 0; i < b->count; i++)
		printf("%s: %s\n", b->arms[i].v.name,
		       copies_bytes(&b->arms[i].v) ? "every byte right" :
						     "nothing to copy");
	must(bench_stop(b));
	bench_close(b);
	bench_free(b);
	finish_output();
}

/* The life of one process; "report" is filled when text is wanted. */
static void measure_once(struct bench *b, const struct options *o,
			 struct report *report)
{
	must(bench_open(b));
	verify_all(b, o->output);
	must(bench_burden(b));
	must(bench_run(b));
	must(bench_stop(b));
	check_rounds(b);
	/* Before it is told of: what a process spends on its end is told, too. */
	bench_close(b);
	if (o->output == OUTPUT_JSON)
		print_json(b);
	else
		fill_report(report, b);
	if (o->samples)
		keep_samples(b, o->samples);
	bench_free(b);
	finish_output();
}

static void read_fully(int fd, void *buffer, size_t bytes)
{
	for (size_t got = 0; got < bytes;) {
		ssize_t n = read(fd, (char *)buffer + got, bytes - got);

		if (n <= 0)
			break; /* its exit status says why */
		got += (size_t)n;
	}
}

/* A fresh process has fresh memory: it, not the round, is the sample. */
static void measure_in_child(struct bench *b, const struct options *o,
			     struct report *report)
{
	size_t bytes = report_bytes(b->count);
	pid_t parent = getpid(), child;
	int fd[2], status;

	finish_output();
	if (pipe(fd))
		die("cannot make a pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		die("cannot make a process: %s: see ulimit -u",
		    strerror(errno));
	if (!child) {
		/* Nobody measures for a parent that is gone. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(CANNOT);
		close(fd[0]);
		measure_once(b, o, report);
		if (write(fd[1], report, bytes) != (ssize_t)bytes)
			die("cannot hand over the result");
		exit(0);
	}
	close(fd[1]);
	read_fully(fd[0], report, bytes);
	close(fd[0]);
	if (waitpid(child, &status, 0) < 0)
		die("cannot wait for a process: %s", strerror(errno));
	if (WIFSIGNALED(status))
		die("a measuring process was killed by signal %d%s",
		    WTERMSIG(status),
		    WTERMSIG(status) == 9 ?
			    ": out of memory? take fewer --pairs" :
			    "");
	if (WEXITSTATUS(status))
		exit(WEXITSTATUS(status));
}

static int make_empty(const char *file)
{
	FILE *made = fopen(file, "w");

	return made && !fclose(made);
}

/* For who waits: a dot for each process, and nothing in a file or a pipe. */
static void show_progress(const struct options *o, const char *text)
{
	if (o->output != OUTPUT_JSON && isatty(STDERR_FILENO))
		fputs(text, stderr);
}

void measure(struct bench *b, const struct options *o)
{
	size_t bytes = report_bytes(b->count);
	char *reports = calloc(o->processes, bytes);
	uint64_t seed = o->cell.seed;

	if (!reports)
		die("not enough memory: take fewer --processes");
	/* Whoever ignores it has no children to wait for, and hands that on. */
	signal(SIGCHLD, SIG_DFL);
	if (o->samples && !make_empty(o->samples))
		die("--samples=%s: %s", o->samples, strerror(errno));
	for (unsigned int p = 0; p < o->processes; p++) {
		b->cell.seed = seed + p;
		measure_in_child(b, o, (void *)(reports + p * bytes));
		show_progress(o, ".");
	}
	show_progress(o, "\n");
	if (o->output == OUTPUT_TEXT)
		print_text(b, reports, o->processes);
	if (o->output == OUTPUT_MARKDOWN)
		print_markdown(b, reports, o);
	finish_output();
	free(reports);
}
