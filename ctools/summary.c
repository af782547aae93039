// SPDX-License-Identifier: MIT
/* The text: medians of processes, and how sure the ratios are. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "numbers.h"
#include "caches.h"
#include "pagecopy.h"
#include "probe.h"

/* What a process tells about an arm when text is wanted. */
struct summary {
	double log_speedup; /* median over rounds of ln(first / this) */
	double median_ns;
	double copy_ns; /* median beside a victim, else 0 */
};

struct report {
	double overhead_ns;
	double huge_share; /* of the buffers' bytes */
	struct summary arm[];
};

static struct summary summarise(const struct bench *b, const struct arm *arm)
{
	const struct arm *first = &b->arms[0];
	double amount = (double)arm->probe->amount(&b->cell, &arm->v);
	double of_first = (double)first->probe->amount(&b->cell, &first->v);
	unsigned int rounds = b->cell.rounds;
	double logs[rounds];

	/* Per byte: a variant may copy more at a time. */
	for (unsigned int r = 0; r < rounds; r++)
		logs[r] = log((double)first->ns[r] / (double)arm->ns[r]) +
			log(amount / of_first);
	qsort(logs, rounds, sizeof(logs[0]), by_double);
	return (struct summary){
		.log_speedup = (logs[(rounds - 1) / 2] + logs[rounds / 2]) / 2,
		.median_ns = median(arm->ns, rounds),
		.copy_ns = median(arm->channel[CHANNEL_COPY].at,
				  arm->channel[CHANNEL_COPY].count),
	};
}

void fill_report(struct report *report, const struct bench *b)
{
	report->overhead_ns = b->overhead_ns;
	report->huge_share = (double)(b->src.huge_bytes + b->dst.huge_bytes) /
		(double)(b->src.bytes + b->dst.bytes);
	for (unsigned int i = 0; i < b->count; i++)
		report->arm[i] = summarise(b, &b->arms[i]);
}

/* The 97.5 % point of Student's t: Cornish-Fisher about the normal's. */
static double t_quantile(double df)
{
	const double z = 1.959963985, z3 = z * z * z, z5 = z3 * z * z;

	if (df < 2)
		return 12.706;
	return z + (z3 + z) / (4 * df) +
		(5 * z5 + 16 * z3 + 3 * z) / (96 * df * df) +
		(3 * z5 * z * z + 19 * z5 + 17 * z3 - 15 * z) /
		(384 * df * df * df);
}

size_t report_bytes(unsigned int arms)
{
	return sizeof(struct report) + arms * sizeof(struct summary);
}

static const struct report *nth_report(const char *reports, unsigned int arms,
				       unsigned int nth)
{
	return (const void *)(reports + nth * report_bytes(arms));
}

/* Where another mean of count values of that variance should fall. */
static double half_width(double variance, double count, double least_df)
{
	/*
	 * Thrice the variance of a mean: the interval is to hold the result of
	 * another run, with an error of its own and the machine in another
	 * state (artifact/estimate.py).
	 */
	return t_quantile(fmax(count - 1, least_df)) *
		sqrt(3 * variance / count);
}

static double mean_of(const double *values, unsigned int count)
{
	double mean = 0;

	for (unsigned int i = 0; i < count; i++)
		mean += values[i] / count;
	return mean;
}

/*
 * Processes in a row are alike, as the machine drifts: with that correlation
 * they are as good as fewer (artifact/estimate.py does the same and says why).
 */
static double correlated_half_width(const double *values, unsigned int count)
{
	double mean = mean_of(values, count), total = 0, neighbours = 0;
	double inflation, last = 0;

	for (unsigned int i = 0; i < count; i++) {
		double deviation = values[i] - mean;

		total += deviation * deviation;
		neighbours += deviation * last;
		last = deviation;
	}
	if (total <= 0)
		return 0;
	neighbours /= total;
	neighbours += (1 + 3 * neighbours) / count; /* Kendall 1954 */
	neighbours = fmin(fmax(neighbours, 0), 0.9);
	inflation = (1 + neighbours) / (1 - neighbours);
	return half_width(total / (count - fmin(inflation, count / 2.0)),
			  fmax(count / inflation, 2), count / 2.0 - 1);
}

/* And the same from the means of eight batches in a row; the wider of the two. */
static double repeat_half_width(const double *values, unsigned int count)
{
	enum { BATCHES = 8 };
	double batch[BATCHES], mean, spread = 0;
	double half = correlated_half_width(values, count);
	unsigned int start = 0;

	if (count < 2 * BATCHES)
		return half;
	for (unsigned int b = 0; b < BATCHES; b++) {
		unsigned int size = count / BATCHES + (b < count % BATCHES);

		batch[b] = mean_of(&values[start], size);
		start += size;
	}
	mean = mean_of(batch, BATCHES);
	for (unsigned int b = 0; b < BATCHES; b++)
		spread += (batch[b] - mean) * (batch[b] - mean);
	return fmax(half, half_width(spread / (BATCHES - 1), BATCHES, 1));
}

static double middle_of(const double *sorted, unsigned int count)
{
	return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

/* Within 5 % of 1 a difference is there, and of no use to anybody. */
static const char *in_a_word(double log_ratio, double half)
{
	int barely = fabs(exp(log_ratio) - 1) < 0.05;

	if (fabs(log_ratio) <= half)
		return "unclear";
	if (log_ratio > 0)
		return barely ? "barely faster" : "faster";
	return barely ? "barely slower" : "slower";
}

struct row row_of(const struct bench *b, const char *reports,
		  unsigned int processes, unsigned int arm)
{
	const struct variant *v = &b->arms[arm].v;
	double mean, half, ns[processes], logs[processes], copy[processes];
	const struct probe *probe = b->arms[arm].probe;
	int scans = v->strategy == STRATEGY_SCAN;
	struct row row = { .variant = v->name, .decimals = scans ? 3 : 1 };

	for (unsigned int p = 0; p < processes; p++) {
		const struct summary *s =
			&nth_report(reports, b->count, p)->arm[arm];

		logs[p] = s->log_speedup;
		ns[p] = s->median_ns;
		copy[p] = s->copy_ns;
	}
	qsort(ns, processes, sizeof(ns[0]), by_double);
	qsort(copy, processes, sizeof(copy[0]), by_double);
	row.us = middle_of(ns, processes) / 1e3 / (scans ? scan_looks(v) : 1);
	row.copy_us = middle_of(copy, processes) / 1e3;
	/* One call of a copy is no copy: nothing to compare. */
	if (v->observe == OBSERVE_STRETCH)
		return row;
	if (probe->times_copies)
		row.gb_per_s =
			(double)probe->amount(&b->cell, v) / row.us / 1e3;
	mean = mean_of(logs, processes);
	row.speedup = exp(mean);
	if (processes > 1 && arm) {
		half = repeat_half_width(logs, processes);
		row.low = exp(mean - half);
		row.high = exp(mean + half);
		row.word = in_a_word(mean, half);
	}
	return row;
}

static void print_row(const struct row *row)
{
	printf("%s\n  %11.*f us", row->variant, row->decimals, row->us);
	if (row->gb_per_s > 0)
		printf("  %7.2f GB/s", row->gb_per_s);
	if (row->speedup > 0)
		printf("  %7.3fx", row->speedup);
	if (row->word)
		printf("  [%.3f, %.3f]  %s", row->low, row->high, row->word);
	if (row->copy_us > 0)
		printf("  a copy %.1f us", row->copy_us);
	putchar('\n');
}

double huge_percent(const struct bench *b, const char *reports,
		    unsigned int processes)
{
	double least = 1;

	for (unsigned int p = 0; p < processes; p++)
		least = fmin(least,
			     nth_report(reports, b->count, p)->huge_share);
	return floor(least * 100);
}

void print_overhead(const struct bench *b, const char *reports,
		    unsigned int processes)
{
	double overhead = 0, fastest = INFINITY;

	for (unsigned int p = 0; p < processes; p++) {
		const struct report *r = nth_report(reports, b->count, p);

		overhead = fmax(overhead, r->overhead_ns);
		for (unsigned int i = 0; i < b->count; i++)
			fastest = fmin(fastest, r->arm[i].median_ns);
	}
	printf("\nA copy of nothing takes %.3f us here: %.3f %% of the fastest "
	       "above.\n",
	       overhead / 1e3, 100 * overhead / fastest);
}

static void print_pools(const struct cell *c)
{
	size_t caches = last_level_caches(c->cpus, c->cpu_count);

	printf("pools of %zu KiB each, last-level caches ",
	       c->pairs * c->folio >> 10);
	if (caches)
		printf("%zu KiB together\n", caches >> 10);
	else
		puts("not known");
}

void print_text(const struct bench *b, const char *reports,
		unsigned int processes)
{
	const struct cell *c = &b->cell;

	printf("pagecopy " VERSION ": %zu KiB folios of %zu KiB pages, "
	       "source %s, destination %s\n",
	       c->folio >> 10, c->base >> 10, state_word(c->src_warm),
	       state_word(c->dst_warm));
	printf("%u processes x %u rounds, interleaved; huge pages behind "
	       "%.0f %% of the buffers\n",
	       processes, c->rounds, huge_percent(b, reports, processes));
	print_pools(c);
	puts(b->arms[0].probe->heading);
	for (unsigned int i = 0; i < b->count; i++) {
		const struct row row = row_of(b, reports, processes, i);

		print_row(&row);
	}
	print_overhead(b, reports, processes);
}
