// SPDX-License-Identifier: MIT
/* What a variant's text is made of: the one table of its options. */
#include <stdio.h>
#include <string.h>

#include "variant.h"
#include "words.h"

const char *const strategy_words[] = {
	[STRATEGY_SERIAL] = "serial",
	[STRATEGY_PARALLEL] = "parallel",
	[STRATEGY_ALONE] = "alone",
	[STRATEGY_SCAN] = "scan",
	NULL,
};

const char *const rule_words[] = {
	[RULE_PAGE] = "page",
	[RULE_BULK] = "bulk",
	NULL,
};

const char *const scan_words[] = {
	[SCAN_HOT] = "hot",
	[SCAN_WRITTEN] = "written",
	NULL,
};

const char *const value_kind_words[] = {
	[VALUE_WORD] = "word",
	[VALUE_SIZE] = "size",
	[VALUE_COUNT] = "count",
	[VALUE_NS] = "ns",
	NULL,
};

static const char *const observe_words[] = {
	[OBSERVE_COPY] = "copy",
	[OBSERVE_STRETCH] = "stretch",
	[OBSERVE_PHASES] = "phases",
	NULL,
};

static const char *const dispatch_words[] = {
	[DISPATCH_SPAWN] = "spawn",
	[DISPATCH_WAKE] = "wake",
	[DISPATCH_SPIN] = "spin",
	NULL,
};

static const char *const caller_words[] = {
	[CALLER_WORKS] = "works",
	[CALLER_WAITS] = "waits",
	[CALLER_RECLAIMS] = "reclaims",
	NULL,
};

static const char *const parts_words[] = {
	[PARTS_FIXED] = "fixed",
	[PARTS_SHARED] = "shared",
	NULL,
};

static const char *const priority_words[] = {
	[PRIORITY_NORMAL] = "normal",
	[PRIORITY_HIGH] = "high",
	[PRIORITY_LOW] = "low",
	[PRIORITY_IDLE] = "idle",
	NULL,
};

static const char *const affinity_words[] = { "bound", "unbound", NULL };

static const char *const pick_words[] = {
	[PICK_ANY] = "any",
	[PICK_IDLE] = "idle",
	NULL,
};

static const char *const model_words[] = {
	[MODEL_2017] = "2017",
	[MODEL_2025] = "2025",
	[MODEL_PADATA] = "padata",
	NULL,
};

/* In the order of the bits of enum defect. */
static const char *const defect_words[] = { "tail", "early", "zero", NULL };

/* clang-format off */
const struct variant_option variant_options[KEYS] = {
	[KEY_MAP] = {
		"map", VALUE_WORD, map_words, 0, 0,
		"bookkeeping around each call (none); 2026: that of "
		"folio_mc_copy() in 6.18; 2017: of copy_huge_page() in 4.10, "
		"which counts preemption; delay: what delay= says"
	},
	[KEY_DELAY] = {
		"delay", VALUE_NS, NULL, 1000000, 0,
		"instead: a modelled cost per call in ns, calibrated"
	},
	[KEY_EXTENT] = {
		"extent", VALUE_SIZE, NULL, 0, 0,
		"bytes per call, in place of RULE's: 64K, 2M, ..."
	},
	[KEY_BYTES] = {
		"bytes", VALUE_SIZE, NULL, 0, 0,
		"of each folio, from its start: 4K, 64K, ..."
	},
	[KEY_FOLIOS] = {
		"folios", VALUE_COUNT, NULL, 1 << 20, 0,
		"folios per copy (1)"
	},
	[KEY_MIGRATORS] = {
		"migrators", VALUE_COUNT, NULL, 1024, 0,
		"how many do this at the same time, one CPU each (1)"
	},
	[KEY_OBSERVE] = {
		"observe", VALUE_WORD, observe_words, 0, 0,
		"what is timed; stretch: the typical call in place of the "
		"whole copy; phases: the whole copy, and when each worker "
		"starts and ends (copy)"
	},
	[KEY_MODEL] = {
		"model", VALUE_WORD, model_words, 0, 1,
		"2017 (highpri workqueue: bound, nice -20, an even count up "
		"to 8, caller waits, one work item per folio of a list), 2025 "
		"(unbound, up to 4, caller waits) or padata (unbound, up to 4, "
		"caller works, parts shared: padata_do_multithreaded() as the "
		"series of 2026 calls it); options after it change details"
	},
	[KEY_THREADS] = {
		"threads", VALUE_COUNT, NULL, 4096, 1,
		"how many copy (1)"
	},
	[KEY_DISPATCH] = {
		"dispatch", VALUE_WORD, dispatch_words, 0, 1,
		"a new thread for each copy, a sleeping one, or one that "
		"waits on a hot CPU (wake)"
	},
	[KEY_CALLER] = {
		"caller", VALUE_WORD, caller_words, 0, 1,
		"what the caller does meanwhile; reclaims: works, then does "
		"what no worker has begun (works)"
	},
	[KEY_PARTS] = {
		"parts", VALUE_WORD, parts_words, 0, 1,
		"each worker its own part, or whoever is free the next one: "
		"who comes late finds nothing to do (fixed)"
	},
	[KEY_CHUNK] = {
		"chunk", VALUE_SIZE, NULL, 0, 1,
		"share out pieces of this size, in place of even parts"
	},
	[KEY_PRIORITY] = {
		"priority", VALUE_WORD, priority_words, 0, 1,
		"nice 0, -20, 19, or SCHED_IDLE (normal)"
	},
	[KEY_AFFINITY] = {
		"affinity", VALUE_WORD, affinity_words, 0, 1,
		"each worker to a CPU, or all to all CPUs (bound)"
	},
	[KEY_PICK] = {
		"pick", VALUE_WORD, pick_words, 0, 1,
		"which CPUs help; idle: only those that the background load "
		"left idle (any)"
	},
	[KEY_DEFECT] = {
		"defect", VALUE_WORD, defect_words, 0, 1,
		"a mistake of the posted series, for study; tail: the "
		"remainder of the division is dropped; early: only the first "
		"work items of a list are awaited; zero: division by zero on "
		"one CPU"
	},
};
/* clang-format on */

void variant_print_help(int parallel_only)
{
	for (int k = 0; k < KEYS; k++) {
		const struct variant_option *o = &variant_options[k];
		char head[32], text[512];
		size_t len = 0;

		if (o->parallel_only != parallel_only)
			continue;
		snprintf(head, sizeof(head), "  %s=", o->key);
		if (o->words) {
			words_join(text, sizeof(text), o->words, " | ", " | ");
			len = strlen(text);
		}
		snprintf(text + len, sizeof(text) - len, "%s%s",
			 len ? ": " : "", o->help);
		print_wrapped(head, 13, text);
	}
}
