/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/client.h"

#include "lib/base/clock.h"
#include "lib/base/hash.h"
#include "lib/base/utf8.h"
#include "lib/jose/claims.h"
#include "lib/jose/fingerprint.h"
#include "regsvc/jsonput.h"

static const char *const methods[] = {
	[PRINCIPAL_BASIC] = "basic",
	[PRINCIPAL_OAUTH] = "oauth",
	[PRINCIPAL_MTLS] = "mtls",
};

/* --- words --- */

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (str_lower(c) >= 'a' && str_lower(c) <= 'z');
}

bool
client_id_ok(struct str id)
{
	if (id.n == 0 || id.n > CLIENT_ID_MAX || !is_alnum(id.p[0]))
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!is_alnum(id.p[i]) && id.p[i] != '.' && id.p[i] != '_' && id.p[i] != '-')
			return false;
	return true;
}

bool
client_tenant_ok(struct str s)
{
	if (s.n == 0 || s.n > CLIENT_TENANT_MAX || !utf8_valid(s))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

bool
client_method(struct str word, enum principal_method *out)
{
	for (unsigned m = PRINCIPAL_BASIC; m <= PRINCIPAL_MTLS; m++) {
		if (!str_eq(word, str_z(methods[m])))
			continue;
		*out = (enum principal_method)m;
		return true;
	}
	return false;
}

/* --- reading --- */

/* A text member, copied with its NUL.  A member that is absent is "". */
static bool
read_text(const struct claims *o, const char *name, char *out, size_t size)
{
	const struct claims *v = claims_get(o, name);
	struct str text = STR_NONE;

	if ((v != NULL && !claims_text(v, &text)) || text.n >= size)
		return false;
	*str_put(out, text) = '\0';
	return true;
}

static bool
read_second(const struct claims *o, const char *name, int64_t *out)
{
	const struct claims *v = claims_get(o, name);
	double d = 0;

	if (v != NULL && (!claims_number(v, &d) || d < 0 || d > 253402300799.0))
		return false;
	*out = (int64_t)d;
	return true;
}

static bool
read_words(const struct claims *o, struct client *c)
{
	char scope[SCOPE_TEXT_MAX], method[16], kind[16], state[16];

	if (!read_text(o, "scope", scope, sizeof(scope)) ||
	    !read_text(o, "method", method, sizeof(method)) ||
	    !read_text(o, "proof", kind, sizeof(kind)) ||
	    !read_text(o, "state", state, sizeof(state)) ||
	    !scope_parse(str_z(scope), &c->scopes) || !client_method(str_z(method), &c->method))
		return false;
	c->by_certificate = strcmp(kind, "certificate") == 0;
	c->revoked = strcmp(state, "active") != 0; /* whatever is not active does not count */
	return c->by_certificate || strcmp(kind, "secret") == 0;
}

static bool
read_members(const struct claims *o, struct client *c)
{
	char subscription[UUID_TEXT + 1];

	return read_text(o, "id", c->id, sizeof(c->id)) && client_id_ok(str_z(c->id)) &&
	       read_text(o, "tenant", c->tenant, sizeof(c->tenant)) &&
	       client_tenant_ok(str_z(c->tenant)) &&
	       read_text(o, "subscription_id", subscription, sizeof(subscription)) &&
	       uuid_parse(str_z(subscription), c->subscription) && read_words(o, c) &&
	       read_text(o, "current", c->proof, sizeof(c->proof)) && c->proof[0] != '\0' &&
	       read_text(o, "previous", c->previous, sizeof(c->previous)) &&
	       read_second(o, "previous_until", &c->previous_until) &&
	       read_second(o, "created", &c->created) && read_second(o, "rotated", &c->rotated);
}

/* Which proofs go with which method. */
static bool
fits(const struct client *c)
{
	char unused[FINGERPRINT + 1];

	if (c->method == PRINCIPAL_OAUTH || c->by_certificate == (c->method == PRINCIPAL_MTLS))
		return !c->by_certificate || fingerprint_parse(str_z(c->proof), unused);
	return false;
}

bool
client_read(struct str json, struct client *out)
{
	struct claims *o = claims_read_object(json);
	bool good;

	*out = (struct client){ 0 };
	good = o != NULL && read_members(o, out) && fits(out);
	claims_free(o);
	out->mark = hash_str(json);
	return good;
}

/* --- writing --- */

static bool
put_public(const struct client *c, struct buf *out)
{
	char scope[SCOPE_TEXT_MAX];

	return buf_put(out, STR("{")) && jsonput_text(out, "id", str_z(c->id)) &&
	       jsonput_text(out, "tenant", str_z(c->tenant)) &&
	       jsonput_text(out, "subscription_id", str_z(c->subscription)) &&
	       jsonput_text(out, "method", str_z(methods[c->method])) &&
	       jsonput_text(out, "proof", str_z(c->by_certificate ? "certificate" : "secret")) &&
	       jsonput_text(out, "scope", str_z(scope_print(c->scopes, scope))) &&
	       jsonput_text(out, "state", str_z(c->revoked ? "revoked" : "active"));
}

bool
client_write(const struct client *c, struct buf *out)
{
	return put_public(c, out) && jsonput_text(out, "current", str_z(c->proof)) &&
	       jsonput_text(out, "previous", str_z(c->previous)) &&
	       buf_printf(out, "\"previous_until\":%lld,\"created\":%lld,\"rotated\":%lld}",
		   (long long)c->previous_until, (long long)c->created, (long long)c->rotated);
}

static bool
put_time(struct buf *out, const char *name, int64_t s)
{
	char text[CLOCK_TEXT_MAX];

	return s == 0 ? buf_printf(out, "\"%s\":null,", name)
		      : jsonput_text(out, name, str_z(clock_text(s * 1000, text)));
}

bool
client_show(const struct client *c, int64_t now, struct buf *out)
{
	bool before = client_has_previous(c, now);

	return put_public(c, out) &&
	       (!c->by_certificate || jsonput_text(out, "fingerprint", str_z(c->proof))) &&
	       (!c->by_certificate || !before ||
		   jsonput_text(out, "previous_fingerprint", str_z(c->previous))) &&
	       put_time(out, "previous_until", before ? c->previous_until : 0) &&
	       put_time(out, "rotated", c->rotated) && put_time(out, "created", c->created) &&
	       jsonput_end(out);
}

/* --- questions --- */

bool
client_has_previous(const struct client *c, int64_t now)
{
	return c->previous[0] != '\0' && now < c->previous_until;
}

bool
client_shows(const struct client *c, const char *fingerprint, int64_t now)
{
	return c->by_certificate &&
	       (strcmp(c->proof, fingerprint) == 0 ||
		   (client_has_previous(c, now) && strcmp(c->previous, fingerprint) == 0));
}

void
client_principal(const struct client *c, struct principal *out)
{
	*out = (struct principal){ .method = c->method, .scopes = c->scopes };
	memcpy(out->client, c->id, sizeof(out->client));
	memcpy(out->subscription, c->subscription, sizeof(out->subscription));
}
