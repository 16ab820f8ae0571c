/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/queue/mark.h"

#include <sodium.h>

#include "lib/matrix/canonical.h"

#define PARTS 4
#define ENDPOINT_MAX 2048

struct str
mark_endpoint(struct str data)
{
	return json_get(data, STR("endpoint"));
}

/* The lengths keep ("a", "bc") apart from ("ab", "c").  Longer fields than push.h allows are cut,
 * which makes at worst two of them equal. */
static struct mark
mark_of(const unsigned char key[MARK_KEY], const struct str *parts, size_t n)
{
	char text[PARTS * sizeof(uint32_t) + PUSH_APP_ID_MAX + PUSH_PUSHKEY_MAX + PUSH_ID_MAX +
		  ENDPOINT_MAX];
	char *at = text;
	struct mark m;

	for (size_t i = 0; i < n; i++) {
		uint32_t length = (uint32_t)parts[i].n;

		at = str_put(at, str_of((const char *)&length, sizeof(length)));
		at = str_put(at, parts[i]);
	}
	crypto_shorthash_siphashx24(
	    (unsigned char *)&m, (const unsigned char *)text, (size_t)(at - text), key);
	if (m.v[0] == 0 && m.v[1] == 0)
		m.v[0] = 1;
	return m;
}

static struct str
cut(struct str s, size_t max)
{
	return str_of(s.p, s.n < max ? s.n : max);
}

struct mark
mark_of_push(const unsigned char key[MARK_KEY], const struct push *p)
{
	const struct str parts[] = { cut(p->app_id, PUSH_APP_ID_MAX),
		cut(p->pushkey, PUSH_PUSHKEY_MAX), cut(p->event_id, PUSH_ID_MAX),
		cut(mark_endpoint(p->data), ENDPOINT_MAX) };

	return mark_of(key, parts, parts[3].n > 0 ? 4 : 3);
}

struct mark
mark_of_pushkey(const unsigned char key[MARK_KEY], const struct push *p)
{
	const struct str parts[] = { cut(p->app_id, PUSH_APP_ID_MAX),
		cut(p->pushkey, PUSH_PUSHKEY_MAX), STR_NONE,
		cut(mark_endpoint(p->data), ENDPOINT_MAX) };

	return mark_of(key, parts, parts[3].n > 0 ? 4 : 2);
}
