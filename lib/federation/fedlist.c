/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedlist - the wire forms differ from version to version of the directory's interface; what is
 * read here is what they have in common: "version", "domainList" and in each entry a name or its
 * hash.
 */
#include "lib/federation/fedlist.h"

#include <sodium.h>
#include <stdlib.h>

#include "lib/base/base64.h"
#include "lib/base/jread.h"
#include "lib/federation/digests.h"
#include "lib/matrix/name.h"

#define TEXT_MAX 512 /* of an unescaped member name or domain; no server name is longer */

struct fedlist {
	struct snapshot snap;
	struct digests members; /* the flag: is an insurance */
	size_t skipped;
	int64_t version, not_before, not_after;
};

static void
fedlist_free(struct snapshot *s)
{
	struct fedlist *l = (struct fedlist *)s;

	digests_fini(&l->members);
	free(l);
}

/* -- reading -- */

/* Whether the text is the hash of a name, in any of the encodings seen; see the header. */
static bool
read_hash(struct str s, unsigned char digest[DIGEST_BYTES])
{
	size_t n;

	if (s.n == 2 * DIGEST_BYTES)
		return sodium_hex2bin(digest, DIGEST_BYTES, s.p, s.n, NULL, &n, NULL) == 0 &&
		       n == DIGEST_BYTES;
	if (s.n == 44 && s.p[43] == '=')
		s.n--;
	if (s.n != 43)
		return false;
	if (!base64_decode(s, digest, DIGEST_BYTES, &n) &&
	    !base64url_decode(s, digest, DIGEST_BYTES, &n))
		return false;
	return n == DIGEST_BYTES;
}

static bool
read_domain(struct str text, struct digest *out)
{
	char mem[NAME_MAX_LEN + 1];
	struct str normal;

	if (read_hash(text, out->bytes))
		return true;
	normal = name_normal(text, mem);
	if (normal.n == 0)
		return false;
	digest_of(normal, out);
	return true;
}

static enum err
add_entry(struct fedlist *l, const struct fedlist_limits *lim, struct str domain, bool insurance)
{
	struct digests *m = &l->members;

	if (m->n >= lim->max_entries)
		return ERR_FEDLIST_SIZE;
	if (!digests_room(m))
		return ERR_MEMORY;
	if (read_domain(domain, &m->v[m->n]))
		m->v[m->n++].flag = insurance;
	else
		l->skipped++;
	return l->skipped <= lim->max_entries ? OK : ERR_FEDLIST_SIZE;
}

/* A text that does not fit TEXT_MAX equals nothing that is looked for. */
static bool
read_text(struct jread *r, char mem[TEXT_MAX], struct str *out)
{
	bool fits;

	if (!jread_string(r, mem, TEXT_MAX, out, &fits))
		return false;
	if (!fits)
		*out = STR_NONE;
	return true;
}

static bool
read_flag(struct jread *r, bool *out) /* null was seen where the schema wants a boolean */
{
	*out = false;
	return jread_peek(r) == 'n' ? jread_null(r) : jread_bool(r, out);
}

static enum err
read_object_entry(struct jread *r, struct fedlist *l, const struct fedlist_limits *lim)
{
	char name_mem[TEXT_MAX], domain_mem[TEXT_MAX];
	bool insurance = false, has_domain = false, has_insurance = false, good = true;
	struct str name, domain = STR_NONE;

	if (!jread_enter(r, '{'))
		return ERR_FEDLIST_SHAPE;
	while (good && jread_more(r, '}')) {
		if (!read_text(r, name_mem, &name) || !jread_colon(r))
			return ERR_FEDLIST_SHAPE;
		if (str_eq(name, STR("domain"))) {
			good = !has_domain && read_text(r, domain_mem, &domain);
			has_domain = true;
		} else if (str_eq(name, STR("isInsurance"))) {
			good = !has_insurance && read_flag(r, &insurance);
			has_insurance = true;
		} else {
			good = jread_skip(r);
		}
	}
	if (!good || r->bad || !has_domain)
		return ERR_FEDLIST_SHAPE;
	return add_entry(l, lim, domain, insurance);
}

static enum err
read_entries(struct jread *r, struct fedlist *l, const struct fedlist_limits *lim)
{
	enum err err = OK;

	if (!jread_enter(r, '['))
		return ERR_FEDLIST_SHAPE;
	while (err == OK && jread_more(r, ']')) {
		char mem[TEXT_MAX];
		struct str domain;

		if (jread_peek(r) == '{')
			err = read_object_entry(r, l, lim);
		else
			err = read_text(r, mem, &domain) ? add_entry(l, lim, domain, false)
							 : ERR_FEDLIST_SHAPE;
	}
	return r->bad ? ERR_FEDLIST_SHAPE : err;
}

/* A number that counts something: not negative, in the range of int64_t.  Fractions of a second of
 * a date (NumericDate allows them) are dropped. */
static bool
read_count(struct jread *r, bool fractions, int64_t *out)
{
	struct str text, whole, rest;
	uint64_t v;

	if (!jread_number(r, &text))
		return false;
	whole = text;
	if (fractions)
		str_cut(text, '.', &whole, &rest);
	if ((fractions && (str_chr(text, 'e') != NULL || str_chr(text, 'E') != NULL)) ||
	    !str_to_u64(whole, INT64_MAX, &v))
		return false;
	*out = (int64_t)v;
	return true;
}

/* "SHA-256", "sha256": the only hash there is. */
static bool
read_algorithm(struct jread *r)
{
	char mem[TEXT_MAX];
	struct str text;

	if (jread_peek(r) == 'n')
		return jread_null(r);
	return read_text(r, mem, &text) &&
	       (str_eq_ci(text, STR("sha-256")) || str_eq_ci(text, STR("sha256")));
}

enum member { IS_VERSION, IS_DOMAINS, IS_IAT, IS_EXP, IS_ALGORITHM, IS_OTHER };

static enum member
member_of(struct str name)
{
	static const struct {
		const char *name;
		enum member member;
	} known[] = {
		{ "version", IS_VERSION },
		{ "domainList", IS_DOMAINS },
		{ "iat", IS_IAT },
		{ "exp", IS_EXP },
		{ "hashAlgorithm", IS_ALGORITHM },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_eq(name, str_z(known[i].name)))
			return known[i].member;
	return IS_OTHER;
}

static enum err
read_member(struct jread *r, enum member m, struct fedlist *l, const struct fedlist_limits *lim)
{
	bool good = false;

	switch (m) {
	case IS_VERSION:
		good = read_count(r, false, &l->version);
		break;
	case IS_DOMAINS:
		return read_entries(r, l, lim);
	case IS_IAT:
		good = read_count(r, true, &l->not_before);
		break;
	case IS_EXP:
		good = read_count(r, true, &l->not_after);
		break;
	case IS_ALGORITHM:
		good = read_algorithm(r);
		break;
	case IS_OTHER:
		good = jread_skip(r);
		break;
	}
	return good ? OK : ERR_FEDLIST_SHAPE;
}

static enum err
read_list(struct jread *r, struct fedlist *l, const struct fedlist_limits *lim)
{
	bool seen[IS_OTHER + 1] = { false };
	char mem[TEXT_MAX];
	struct str name;
	enum err err = OK;

	if (!jread_enter(r, '{'))
		return ERR_FEDLIST_SHAPE;
	while (err == OK && jread_more(r, '}')) {
		enum member m;

		if (!read_text(r, mem, &name) || !jread_colon(r))
			return ERR_FEDLIST_SHAPE;
		m = member_of(name);
		if (m != IS_OTHER && seen[m])
			return ERR_FEDLIST_SHAPE;
		seen[m] = true;
		err = read_member(r, m, l, lim);
	}
	if (err == OK && (!jread_end(r) || !seen[IS_VERSION] || !seen[IS_DOMAINS]))
		err = ERR_FEDLIST_SHAPE;
	return err;
}

enum err
fedlist_parse(struct str payload, const struct fedlist_limits *lim, struct fedlist **out)
{
	struct fedlist *l = calloc(1, sizeof(*l));
	struct jread r;
	enum err err;

	*out = NULL;
	if (l == NULL)
		return ERR_MEMORY;
	snapshot_init(&l->snap, fedlist_free);
	jread_init(&r, payload);
	err = read_list(&r, l, lim);
	if (err == OK && !digests_sort(&l->members))
		err = ERR_MEMORY;
	if (err != OK) {
		snapshot_drop(&l->snap);
		return err;
	}
	*out = l;
	return OK;
}

/* -- questions -- */

int64_t
fedlist_version(const struct fedlist *l)
{
	return l->version;
}

size_t
fedlist_count(const struct fedlist *l)
{
	return l->members.n;
}

size_t
fedlist_skipped(const struct fedlist *l)
{
	return l->skipped;
}

int64_t
fedlist_not_after(const struct fedlist *l)
{
	return l->not_after;
}

int64_t
fedlist_not_before(const struct fedlist *l)
{
	return l->not_before;
}

/* A normal name without its port. */
static struct str
without_port(struct str normal)
{
	size_t n = normal.n;

	while (n > 0 && normal.p[n - 1] >= '0' && normal.p[n - 1] <= '9')
		n--;
	/* an IPv6 address ends in a bracket, so its last group is never taken for a port */
	return n > 0 && n < normal.n && normal.p[n - 1] == ':' ? str_of(normal.p, n - 1) : normal;
}

static const struct digest *
find_name(const struct fedlist *l, struct str name, enum fedlist_ports ports)
{
	struct digest wanted;
	char mem[NAME_MAX_LEN + 1];
	struct str normal = name_normal(name, mem), host;
	const struct digest *found;

	if (normal.n == 0)
		return NULL;
	digest_of(normal, &wanted);
	found = digests_find(&l->members, &wanted);
	if (found != NULL || ports == FEDLIST_PORTS_EXACT)
		return found;
	host = without_port(normal);
	if (host.n == normal.n)
		return NULL;
	digest_of(host, &wanted);
	return digests_find(&l->members, &wanted);
}

bool
fedlist_has(const struct fedlist *l, struct str name, enum fedlist_ports ports)
{
	return find_name(l, name, ports) != NULL;
}

bool
fedlist_is_insurance(const struct fedlist *l, struct str name, enum fedlist_ports ports)
{
	const struct digest *found = find_name(l, name, ports);

	return found != NULL && found->flag;
}
