/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/trust/revfile.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>

#include "lib/base/fsutil.h"
#include "lib/base/log.h"

static const char *const words[] = {
	[REVOCATION_NONE] = "none",
	[REVOCATION_GOOD] = "good",
	[REVOCATION_REVOKED] = "revoked",
	[REVOCATION_UNKNOWN] = "unknown",
	[REVOCATION_UNREACHABLE] = "unreachable",
};

bool
revfile_print(const struct revfile_row *row, struct buf *out)
{
	char hex[2 * REVFILE_FINGERPRINT + 1];

	sodium_bin2hex(hex, sizeof(hex), row->fingerprint, sizeof(row->fingerprint));
	return buf_printf(out, "%s %s %lld %lld\n", hex, words[row->state], (long long)row->good_at,
	    (long long)row->until);
}

static bool
state_of(struct str word, enum revocation_state *out)
{
	for (size_t i = REVOCATION_GOOD; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq(word, str_z(words[i]))) {
			*out = (enum revocation_state)i;
			return true;
		}
	return false;
}

static bool
time_of(struct str text, int64_t *out)
{
	uint64_t ms;

	if (!str_to_u64(text, INT64_MAX / 2, &ms))
		return false;
	*out = (int64_t)ms;
	return true;
}

bool
revfile_parse(struct str line, struct revfile_row *out)
{
	struct str hex, state, good_at, until, rest;
	size_t n;

	return str_cut(line, ' ', &hex, &rest) && str_cut(rest, ' ', &state, &rest) &&
	       str_cut(rest, ' ', &good_at, &until) &&
	       sodium_hex2bin(
		   out->fingerprint, sizeof(out->fingerprint), hex.p, hex.n, NULL, &n, NULL) == 0 &&
	       n == sizeof(out->fingerprint) && state_of(state, &out->state) &&
	       time_of(good_at, &out->good_at) && time_of(until, &out->until);
}

static bool
path_of(const char *state_dir, const char *name, char out[PATH_MAX])
{
	return state_dir != NULL &&
	       snprintf(out, PATH_MAX, "%s/trust-%s.status", state_dir, name) < PATH_MAX;
}

void
revfile_write(const char *state_dir, const char *name, struct str text)
{
	char path[PATH_MAX];

	if (path_of(state_dir, name, path) && fs_replace(path, text, 0640) != 0)
		log_error("trust %s: %s cannot be written: %s; a restart forgets which "
			  "certificates were revoked",
		    name, path, strerror(errno));
}

void
revfile_read(const char *state_dir, const char *name, size_t max_rows,
    void (*fn)(void *arg, const struct revfile_row *row), void *arg)
{
	char path[PATH_MAX];
	struct str line, rest;
	struct buf text;

	if (!path_of(state_dir, name, path))
		return;
	buf_init(&text, (max_rows + 1) * REVFILE_LINE_MAX);
	if (fs_read(path, &text) != 0 && errno != ENOENT)
		log_error("trust %s: %s cannot be read: %s", name, path, strerror(errno));
	for (rest = buf_str(&text); rest.n > 0;) {
		struct revfile_row row;

		str_cut(rest, '\n', &line, &rest);
		if (revfile_parse(line, &row))
			fn(arg, &row);
	}
	buf_fini(&text);
}
