/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/ratelimit.h"

#include "lib/base/hash.h"
#include "proxy/series.h"

static bool
is_on(const struct proxy_conf *conf, enum rate_limit limit)
{
	return limit < RATE_LIMITS && conf->rates[limit].per_minute > 0;
}

/* The same text has buckets of its own in each limit. */
static uint64_t
name_of(enum rate_limit limit, struct str who)
{
	const uint64_t parts[2] = { limit, hash_str(who) };

	return hash_str(str_of((const char *)parts, sizeof(parts)));
}

static clock_ms
take(struct rates *r, const struct proxy_conf *conf, enum rate_limit limit, struct str who,
    clock_ms now)
{
	const struct rate rate = { conf->rates[limit].per_minute, conf->rates[limit].burst };
	clock_ms wait = rates_take(r, name_of(limit, who), &rate, now);

	if (wait > 0)
		metrics_inc((unsigned)S_RATE_LIMITED + limit);
	return wait;
}

/* The limit by address this request is under, if any. */
static enum rate_limit
address_limit(const struct judged *j)
{
	enum h1_method method = j->req->method;

	if (j->route->api == API_FEDERATION || j->route->api == API_KEYS)
		return RATE_FEDERATION_ADDRESS;
	if (method == H1_OPTIONS)
		return RATE_LIMITS; /* a browser asks before the request itself */
	switch (j->route->cost) {
	case COST_LOGIN:
		/* GET only lists the ways to log in. */
		return method == H1_GET || method == H1_HEAD ? RATE_LIMITS : RATE_LOGIN;
	case COST_REGISTER:
		return RATE_REGISTER;
	case COST_PASSWORD:
		return RATE_PASSWORD;
	case COST_NONE:
		break;
	}
	return RATE_LIMITS;
}

static clock_ms
take_address(struct rates *r, const struct proxy_conf *conf, enum rate_limit limit,
    const char *peer, clock_ms now)
{
	struct address a;

	if (!address_parse(str_z(peer), 0, &a) || networks_have(&conf->exempt, &a))
		return 0;
	return take(r, conf, limit, address_party(&a), now);
}

clock_ms
ratelimit_head(struct rates *r, const struct proxy_conf *conf, const struct judged *j,
    const char *peer, clock_ms now)
{
	enum rate_limit limit = address_limit(j);
	clock_ms wait = is_on(conf, limit) ? take_address(r, conf, limit, peer, now) : 0;
	struct str token;

	if (wait > 0 || j->route->api != API_CLIENT || !is_on(conf, RATE_CLIENT))
		return wait;
	token = rule_token(j);
	return token.n > 0 ? take(r, conf, RATE_CLIENT, token, now) : 0;
}

clock_ms
ratelimit_origin(
    struct rates *r, const struct proxy_conf *conf, const struct judged *j, clock_ms now)
{
	return is_on(conf, RATE_FEDERATION) ? take(r, conf, RATE_FEDERATION, j->origin, now) : 0;
}
