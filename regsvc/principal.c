/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/principal.h"

static const struct {
	struct str name;
	unsigned scope;
} words[] = {
	{ { "list", 4 }, SCOPE_LIST },
	{ { "certificates", 12 }, SCOPE_CERTIFICATES },
	{ { "changes", 7 }, SCOPE_CHANGES },
	{ { "directory", 9 }, SCOPE_DIRECTORY },
	{ { "audit", 5 }, SCOPE_AUDIT },
};

#define N_WORDS (sizeof(words) / sizeof(words[0]))

static unsigned
scope_of(struct str word)
{
	for (size_t i = 0; i < N_WORDS; i++)
		if (str_eq(word, words[i].name))
			return words[i].scope;
	return 0;
}

bool
scope_parse(struct str text, unsigned *scopes)
{
	struct str word, rest = text;
	bool more = true;

	*scopes = 0;
	while (more) {
		unsigned scope;

		more = str_cut(rest, ' ', &word, &rest);
		scope = scope_of(word);
		if (scope == 0)
			return false;
		*scopes |= scope;
	}
	return true;
}

char *
scope_print(unsigned scopes, char out[SCOPE_TEXT_MAX])
{
	char *end = out;

	for (size_t i = 0; i < N_WORDS; i++) {
		if ((scopes & words[i].scope) == 0)
			continue;
		if (end > out)
			*end++ = ' ';
		end = str_put(end, words[i].name);
	}
	*end = '\0';
	return out;
}
