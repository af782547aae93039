/* SPDX-License-Identifier: MIT */
#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>

/* Lists of words end with NULL. The place of a word, -1 where it is not. */
int word_find(const char *const *words, const char *word);

/* "a, b or c", or "a | b | c", in buffer, cut where it does not fit. */
void words_join(char *buffer, size_t room, const char *const *words,
		const char *between, const char *last);

/* One line that says what is wrong; the next one overwrites it. */
const char *complain(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* "unknown WHAT 'WORD': a, b or c" */
const char *complain_unknown(const char *what, const char *word,
			     const char *const *words);

/* Prints a text from a column on, after a head, at most 79 columns wide. */
void print_wrapped(const char *head, int column, const char *text);

#endif
