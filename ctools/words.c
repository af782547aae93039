// SPDX-License-Identifier: MIT
/* Words of options: found, listed, complained about. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "words.h"

#define WIDTH 79

int word_find(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], word))
			return i;
	return -1;
}

void words_join(char *buffer, size_t room, const char *const *words,
		const char *between, const char *last)
{
	size_t len = 0;

	*buffer = '\0';
	for (int i = 0; words[i] && len < room; i++) {
		const char *before = !i ? "" : words[i + 1] ? between : last;

		len += (size_t)snprintf(buffer + len, room - len, "%s%s",
					before, words[i]);
	}
}

const char *complain(const char *format, ...)
{
	static char message[256];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return message;
}

const char *complain_unknown(const char *what, const char *word,
			     const char *const *words)
{
	char known[96];

	words_join(known, sizeof(known), words, ", ", " or ");
	return complain("unknown %s '%s': %s", what, word, known);
}

void print_wrapped(const char *head, int column, const char *text)
{
	int at = printf("%s", head);

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (at > column && at + 1 + len > WIDTH) {
			putchar('\n');
			at = 0;
		}
		if (at < column)
			at += printf("%*s", column - at, "");
		else
			at += printf(" ");
		at += printf("%.*s", len, text);
		text += len;
		text += strspn(text, " ");
	}
	putchar('\n');
}
