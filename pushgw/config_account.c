/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_account - the key of a service account, as the Google Cloud and Firebase consoles give it:
 * one JSON object with the private key in PEM as one of its members.
 */
#include <openssl/crypto.h>
#include <stdio.h>

#include "lib/base/jread.h"
#include "lib/daemon/setting.h"
#include "pushgw/config_check.h"

#define FILE_MAX (64 << 10)
#define PEM_MAX (16 << 10)
#define TEXT_MAX 2048
#define RSA_BITS_MIN 2048

enum member { TYPE, PROJECT, KEY_ID, EMAIL, TOKEN_URL, KEY, MEMBERS };

static const char *const names[MEMBERS] = {
	[TYPE] = "type",
	[PROJECT] = "project_id",
	[KEY_ID] = "private_key_id",
	[EMAIL] = "client_email",
	[TOKEN_URL] = "token_uri",
	[KEY] = "private_key",
};

struct account {
	struct str text[MEMBERS]; /* p == NULL: not there */
	char unescaped[MEMBERS][TEXT_MAX];
	char pem[PEM_MAX];
};

static enum member
member_of(struct str name)
{
	size_t i = 0;

	while (i < MEMBERS && !str_eq(name, str_z(names[i])))
		i++;
	return (enum member)i;
}

/* false: not JSON, or one of the members is repeated, no text or too long. */
static bool
read_member(struct jread *r, struct account *a)
{
	char name[64];
	struct str text;
	bool fits;
	enum member m;

	if (!jread_string(r, name, sizeof(name), &text, &fits) || !jread_colon(r))
		return false;
	m = fits ? member_of(text) : MEMBERS;
	if (m == MEMBERS)
		return jread_skip(r);
	if (a->text[m].p != NULL)
		return false;
	return jread_string(r, m == KEY ? a->pem : a->unescaped[m], m == KEY ? PEM_MAX : TEXT_MAX,
		   &a->text[m], &fits) &&
	       fits;
}

static bool
read_account(struct str json, struct account *a)
{
	struct jread r;

	jread_init(&r, json);
	if (!jread_enter(&r, '{'))
		return false;
	while (jread_more(&r, '}'))
		if (!read_member(&r, a))
			return false;
	return jread_end(&r);
}

static bool
is_visible(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\')
			return false;
	return s.n > 0;
}

/* What is wrong with it; NULL: nothing. */
static const char *
judge(const struct account *a, const struct fcm_conf *f, char *why, size_t size)
{
	if (a->text[TYPE].p != NULL && !str_eq(a->text[TYPE], STR("service_account")))
		return "is of another type than service_account";
	for (size_t i = 0; i < KEY; i++) {
		if ((i == PROJECT && f->project_id != NULL) ||
		    (i == TOKEN_URL && f->token_url != NULL))
			continue;
		if (is_visible(a->text[i]))
			continue;
		snprintf(why, size, "has no usable member %s", names[i]);
		return why;
	}
	if (a->text[KEY].n == 0)
		return "has no member private_key";
	return NULL;
}

static bool
keep(struct load *l, struct str text, char **out)
{
	*out = arena_z(l->ctx.arena, text);
	return *out != NULL;
}

/* What the file says instead of settings. */
static const char *
judge_taken(const struct account *a, const struct fcm_conf *f)
{
	if (f->key == NULL || EVP_PKEY_get_base_id(f->key) != EVP_PKEY_RSA ||
	    EVP_PKEY_get_bits(f->key) < RSA_BITS_MIN)
		return "has no RSA key of 2048 bits or more as its private_key";
	if (str_eq(str_z(f->project_id), a->text[PROJECT]) && !config_made_of(f->project_id, "-.:"))
		return "has no ID of a project as its project_id";
	if (str_eq(str_z(f->token_url), a->text[TOKEN_URL]) && !setting_is_https(f->token_url))
		return "has no https URL as its token_uri";
	return NULL;
}

static const char *
take(struct load *l, const struct account *a, struct fcm_conf *f)
{
	bool ok = keep(l, a->text[EMAIL], &f->client_email) &&
		  keep(l, a->text[KEY_ID], &f->key_id) &&
		  (f->project_id != NULL || keep(l, a->text[PROJECT], &f->project_id)) &&
		  (f->token_url != NULL || keep(l, a->text[TOKEN_URL], &f->token_url));

	f->key = config_parse_key(a->text[KEY]);
	return ok ? judge_taken(a, f) : "cannot be kept: out of memory";
}

void
config_account(struct load *l, bool test_mode, struct fcm_conf *f)
{
	struct account *a;
	const char *fault;
	struct str json;
	char why[80];

	if (!setting_file(l, "service_account_file", &f->service_account_file, FILE_MAX, &json))
		return;
	setting_private(l, test_mode, "service_account_file", &f->service_account_file);
	a = OPENSSL_zalloc(sizeof(*a));
	fault = a == NULL                ? "cannot be kept: out of memory"
		: !read_account(json, a) ? "is not the JSON of a service account's key"
					 : judge(a, f, why, sizeof(why));
	if (fault == NULL)
		fault = take(l, a, f);
	if (fault != NULL)
		load_fault(l, &f->service_account_file,
		    "service_account_file: %s %s; download a new private key (JSON) of the service "
		    "account",
		    f->service_account_file, fault);
	OPENSSL_clear_free(a, sizeof(*a));
	setting_wipe(json);
}
