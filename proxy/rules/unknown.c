/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unknown - paths we do not know, but a lenient homeserver could take for one whose rule we
 * enforce.
 *
 * Version prefixes, trailing slashes, letter case, path parameters, escaped slashes: what the
 * routes do not match is compared loosely here, so that a rule cannot be avoided by spelling.
 * Outbound the answer is no 404: a homeserver takes that for one of the other server, and tries an
 * older form.
 */
#include "proxy/rules/rules.h"

bool
rule_resembles(struct str segment, struct str name)
{
	struct str part, bare, parameters;

	while (segment.n > 0) {
		str_cut(segment, '/', &part, &segment);
		str_cut(part, ';', &bare, &parameters);
		if (str_eq_ci(str_trim(bare), name))
			return true;
	}
	return false;
}

enum err
rule_unknown(const struct judged *j)
{
	static const struct str names[] = { { "invite", 6 }, { "exchange_third_party_invite", 27 },
		{ "send", 4 } };

	for (size_t i = 0; i < j->path->n; i++)
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			if (rule_resembles(j->path->text[i], names[k]))
				return j->outbound ? ERR_OUT_TARGET_REFUSED : ERR_UNRECOGNIZED;
	return OK;
}
