/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delegation_read - the parts of delegation that need no loop.
 */
#include <sodium.h>
#include <time.h>

#include "lib/base/jread.h"
#include "lib/matrix/delegation.h"

#define SECOND_MS ((clock_ms)1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define LIFETIME_MIN (5 * MINUTE_MS)
#define LIFETIME_SILENT (24 * HOUR_MS)
#define LIFETIME_MAX (48 * HOUR_MS)
#define LIFETIME_NONE HOUR_MS         /* of "nothing valid there" */
#define LIFETIME_LOST (2 * MINUTE_MS) /* the same where there was something lately */
#define TRIES 3

struct str
delegations_key(struct str host, char out[NAME_MAX_LEN + 1])
{
	for (size_t i = 0; i < host.n; i++)
		out[i] = str_lower(host.p[i]);
	out[host.n] = '\0';
	return str_of(out, host.n);
}

/* --- the body --- */

/* A value of m.server that is no string, or longer than a name may be, leaves *to as it is. */
static bool
read_member(struct jread *r, char out[NAME_MAX_LEN + 1], struct str *to, unsigned *seen)
{
	char buf[sizeof("m.server") * 6];
	struct str name;
	bool fits;

	if (!jread_string(r, buf, sizeof(buf), &name, &fits) || !jread_colon(r))
		return false;
	if (!fits || !str_eq(name, STR("m.server")))
		return jread_skip(r);
	++*seen;
	if (jread_peek(r) != '"')
		return jread_skip(r);
	if (!jread_string(r, out, NAME_MAX_LEN, to, &fits))
		return false;
	if (!fits || to->n > NAME_MAX_LEN)
		*to = STR_NONE;
	return true;
}

struct str
delegation_read(struct str body, char out[NAME_MAX_LEN + 1])
{
	struct str to = STR_NONE;
	struct server_name name;
	struct jread r;
	unsigned seen = 0;

	jread_init(&r, body);
	if (!jread_enter(&r, '{'))
		return STR_NONE;
	while (jread_more(&r, '}'))
		if (!read_member(&r, out, &to, &seen))
			return STR_NONE;
	if (!jread_end(&r) || seen != 1 || to.n == 0 || !name_parse(to, &name))
		return STR_NONE;
	memmove(out, to.p, to.n);
	out[to.n] = '\0';
	return str_of(out, to.n);
}

/* --- how long --- */

static clock_ms
bounded(clock_ms ms)
{
	return ms < LIFETIME_MIN ? LIFETIME_MIN : ms > LIFETIME_MAX ? LIFETIME_MAX : ms;
}

/* Looks through the directives; true if they decide. */
static bool
from_cache_control(struct str directives, clock_ms *lifetime)
{
	bool decided = false;

	while (directives.n > 0) {
		struct str one, name, value;
		uint64_t seconds;

		str_cut(directives, ',', &one, &directives);
		str_cut(str_trim(one), '=', &name, &value);
		value = str_trim(value);
		if (value.n >= 2 && value.p[0] == '"')
			value = str_of(value.p + 1, value.n - 2);
		if (str_eq_ci(str_trim(name), STR("no-store"))) {
			*lifetime = LIFETIME_MIN;
			return true;
		}
		if (str_eq_ci(str_trim(name), STR("max-age"))) {
			if (!str_to_u64(value, INT32_MAX, &seconds))
				seconds = value.n > 0 && strspn(value.p, "0123456789") >= value.n
					      ? INT32_MAX
					      : 0;
			*lifetime = bounded(seconds * SECOND_MS);
			decided = true;
		}
	}
	return decided;
}

clock_ms
delegation_lifetime(const char *cache_control, const char *expires, int64_t now_s)
{
	struct tm tm = { 0 };
	const char *end;
	clock_ms lifetime;
	int64_t at;

	if (from_cache_control(str_z(cache_control), &lifetime))
		return lifetime;
	if (expires == NULL || *expires == '\0')
		return LIFETIME_SILENT;
	end = strptime(expires, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (end == NULL || *end != '\0')
		return LIFETIME_MIN;
	at = timegm(&tm);
	if (at <= now_s)
		return LIFETIME_MIN;
	return at - now_s > INT32_MAX ? LIFETIME_MAX : bounded((clock_ms)(at - now_s) * SECOND_MS);
}

/* --- what follows --- */

/* Faults of the network or of the server, which pass; the rest is what the host says. */
static bool
may_pass(const struct fetch_result *r)
{
	switch (r->err) {
	case OK:
		return r->status >= 500;
	case ERR_ADDRESS:
	case ERR_TOO_LARGE:
	case ERR_HTTP_ANSWER:
		return false;
	default:
		return true;
	}
}

struct delegation_verdict
delegation_judge(
    const struct fetch_result *r, struct str to, bool lately, unsigned tries, int64_t now_s)
{
	clock_ms lifetime;

	if (to.n > 0) {
		lifetime = delegation_lifetime(r->cache_control, r->expires, now_s);
		return (struct delegation_verdict){ DELEGATION_TAKE, lifetime };
	}
	if (may_pass(r) && lately && tries < TRIES)
		return (struct delegation_verdict){ DELEGATION_AGAIN, 0 };
	lifetime = lately ? LIFETIME_LOST : may_pass(r) ? 0 : LIFETIME_NONE;
	return (struct delegation_verdict){ may_pass(r) ? DELEGATION_FAULT : DELEGATION_NONE,
		lifetime };
}

clock_ms
delegation_jitter(clock_ms ms)
{
	uint32_t tenth = ms / 10 < UINT32_MAX ? (uint32_t)(ms / 10) : UINT32_MAX;

	return ms - (tenth > 0 ? randombytes_uniform(tenth + 1) : 0);
}
