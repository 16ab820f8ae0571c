/* SPDX-License-Identifier: Apache-2.0 */
/* FD-5.2.1.2-15/-16/-18, O-9 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "proxy/passport.h"
#include "tests/unit/judge.h"
#include "tests/unit/pki.h"

#define HEADER "{\"alg\":\"ES256\",\"typ\":\"passport\"}"
#define EVENT                                                                                      \
	"\"type\":\"m.room.member\",\"sender\":\"@eve:" THEM "\",\"state_key\":\"@bob:" US                \
	"\",\"room_id\":\"!r:" THEM "\",\"content\":{\"membership\":\"invite\"}"
#define OUR_EVENT                                                                                  \
	"\"type\":\"m.room.member\",\"sender\":\"@bob:" US "\",\"state_key\":\"@eve:" THEM                \
	"\",\"room_id\":\"!r:" US "\",\"content\":{\"membership\":\"invite\"}"

enum { GOOD, CAROL, MALLORY, FORGED, OLD, BACK, BACK_DAVE, BACK_ALICE, BACK_FORGED, BACK_OLD, TOKENS };

static struct passport_trust *trust;
static char *tokens[TOKENS];
static char *pass, *back;
static int64_t now_s;

static char *
token(EVP_PKEY *key, const char *from, const char *to, int64_t iat)
{
	char payload[512];

	snprintf(payload, sizeof(payload),
	    "{\"dest\":{\"uri\":[\"matrix:u/%s\"]},\"iat\":%lld,\"orig\":{\"uri\":\"matrix:u/%s\"}}", to,
	    (long long)iat, from);
	return pki_jws(key, HEADER, str_z(payload));
}

static char *
entry(const char *invitee, const char *sender, const char *text)
{
	char *out;

	cr_assert(asprintf(&out,
		      "{\"type\":\"de.gematik.ti-messenger.passport\",\"state_key\":\"%s\",\"sender\":\"%s\","
		      "\"content\":{\"token\":\"%s\"}}", invitee, sender, text) > 0);
	return out;
}

static void
make_trust(EVP_PKEY *key)
{
	EVP_PKEY *ca_key = pki_key(PKI_P256);
	X509 *ca = pki_certificate(ca_key, &(struct pki_certificate){ "ca", .is_ca = true });
	X509 *cert = pki_certificate(key, &(struct pki_certificate){ .issuer = ca, .issuer_key = ca_key });
	X509_STORE *anchors = pki_store(ca);
	char path[] = "rule-invite.XXXXXX";
	const struct passport_certificate file = { path, NULL };
	enum err why;

	close(mkstemp(path));
	pki_write_pem(path, &cert, 1);
	trust = passport_trust_new(&file, 1, anchors, &why);
	cr_assert_not_null(trust);
	unlink(path);
	X509_STORE_free(anchors);
	X509_free(cert);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
}

static void
setup(void)
{
	EVP_PKEY *key = pki_key(PKI_P256), *strange = pki_key(PKI_P256);

	log_threshold = LOG_ERROR;
	now_s = clock_wall_s();
	make_trust(key);
	tokens[GOOD] = token(key, "eve:" THEM, "bob:" US, now_s);
	tokens[CAROL] = token(key, "eve:" THEM, "carol:" US, now_s);
	tokens[MALLORY] = token(key, "mallory:" THEM, "bob:" US, now_s);
	tokens[FORGED] = token(strange, "eve:" THEM, "bob:" US, now_s);
	tokens[OLD] = token(key, "eve:" THEM, "bob:" US, now_s - 86401);
	tokens[BACK] = token(key, "bob:" US, "eve:" THEM, now_s);
	tokens[BACK_DAVE] = token(key, "bob:" US, "dave:" THEM, now_s);
	tokens[BACK_ALICE] = token(key, "alice:" US, "eve:" THEM, now_s);
	tokens[BACK_FORGED] = token(strange, "bob:" US, "eve:" THEM, now_s);
	tokens[BACK_OLD] = token(key, "bob:" US, "eve:" THEM, now_s - 86401);
	pass = entry("@bob:" US, "@eve:" THEM, tokens[GOOD]);
	back = entry("@eve:" THEM, "@bob:" US, tokens[BACK]);
	EVP_PKEY_free(key);
	EVP_PKEY_free(strange);
}

static void
teardown(void)
{
	for (int i = 0; i < TOKENS; i++)
		free(tokens[i]);
	free(pass);
	free(back);
	snapshot_drop((struct snapshot *)trust);
}

TestSuite(rule_invite, .init = setup, .fini = teardown);

static char *
fill(const char *text)
{
	const struct macro macros[] = { { "$EVENT", EVENT }, { "$OURS", OUR_EVENT }, { "$PASS", pass }, { "$BACK", back },
		{ "$GOOD", tokens[GOOD] }, { "$CAROL", tokens[CAROL] }, { "$MALLORY", tokens[MALLORY] },
		{ "$FORGED", tokens[FORGED] }, { "$OLD", tokens[OLD] },
		{ "$BACK_DAVE", tokens[BACK_DAVE] }, { "$BACK_ALICE", tokens[BACK_ALICE] },
		{ "$BACK_FORGED", tokens[BACK_FORGED] }, { "$BACK_OLD", tokens[BACK_OLD] } };

	return expand(text, macros, sizeof(macros) / sizeof(macros[0]));
}

static const struct {
	const char *form, *target;
	bool v2, outbound;
} forms[] = {
	{ "v2", "/_matrix/federation/v2/invite/{room}/$e", true },
	{ "v1", "/_matrix/federation/v1/invite/{room}/$e", false },
	{ "exchange", "/_matrix/federation/v1/exchange_third_party_invite/{room}", false },
	{ "v2/", "/_matrix/federation/v2/invite/{room}/$e/", true },
	{ "v1/", "/_matrix/federation/v1/invite/{room}/$e/", false },
	{ "v3", "/_matrix/federation/v3/invite/{room}/$e", true },
	{ "INVITE", "/_matrix/federation/v2/INVITE/{room}/$e", true },
	{ "escaped", "/_matrix/federation/v2/inv%69te/{room}/$e", true },
	{ "out v2", "/_matrix/federation/v2/invite/{room}/$e", true, true },
	{ "out v1", "/_matrix/federation/v1/invite/{room}/$e", false, true },
	{ "out exchange", "/_matrix/federation/v1/exchange_third_party_invite/{room}", false, true },
	{ "out v3", "/_matrix/federation/v3/invite/{room}/$e", true, true },
};

static char *
body_of(bool v2, const char *event, const char *state, const char *unsigned_state)
{
	char *inner, *body, *all;

	cr_assert(asprintf(&inner, unsigned_state[0] != '\0' ? "%s,\"unsigned\":{\"invite_room_state\":%s}" : "%s%s",
		      event, unsigned_state) > 0);
	if (!v2)
		cr_assert(asprintf(&body, "{%s}", inner) > 0);
	else if (state[0] != '\0')
		cr_assert(asprintf(&body, "{\"room_version\":\"11\",\"event\":{%s},\"invite_room_state\":%s}", inner, state) > 0);
	else
		cr_assert(asprintf(&body, "{\"room_version\":\"11\",\"event\":{%s}}", inner) > 0);
	all = fill(body);
	free(inner);
	free(body);
	return all;
}

/* The request of a case: form, room of the path, event, state, state in unsigned. */
static enum err
open_request(struct request *r, const char *const *field)
{
	const struct macro in_path = { "{room}", field[1] };
	char *target, *body;
	size_t f = 0;
	enum err err;

	while (strcmp(forms[f].form, field[0]) != 0)
		cr_assert_lt(++f, sizeof(forms) / sizeof(forms[0]), "%s", field[0]);
	target = expand(forms[f].target, &in_path, 1);
	body = body_of(forms[f].v2, field[2], field[3], field[4]);
	err = request_init(r, "PUT", target, "", body);
	free(body);
	free(target);
	r->j.now_ms = now_s * 1000;
	r->j.passports = trust;
	if (forms[f].outbound) {
		r->j.outbound = true;
		r->j.origin = STR(US);
		r->j.destination = STR("Them.example");
	}
	return err;
}

static const char *
verdict(const char *const *field)
{
	struct request r;
	enum err err = open_request(&r, field);

	if (err == OK)
		err = r.j.route->rule == RULE_UNKNOWN_FEDERATION ? rule_unknown(&r.j) : rule_invite(&r.j);
	request_fini(&r);
	return err_name(err);
}

Test(rule_invite, judges_every_case)
{
	judge_cases("invite", verdict);
}

static const char room[] = "!r:" THEM;
static const char *const plain[] = { "v2", room, "$EVENT", "[$PASS]", "" };

Test(rule_invite, leaves_what_is_to_be_remembered)
{
	struct request r;

	cr_assert_eq(open_request(&r, plain), OK);
	cr_assert_eq(rule_invite(&r.j), OK);
	cr_assert_eq(r.j.n_invites, 1);
	cr_assert(str_eq(r.j.invites[0].room, STR("!r:" THEM)));
	cr_assert(str_eq(r.j.invites[0].sender, STR("@eve:" THEM)));
	cr_assert(str_eq(r.j.invites[0].invitee, STR("@bob:" US)));
	request_fini(&r);
}

Test(rule_invite, the_age_is_configured)
{
	struct request r;

	cr_assert_eq(open_request(&r, plain), OK);
	r.j.now_ms += 3600000;
	r.service.passport_max_age = 3599000;
	cr_assert_eq(rule_invite(&r.j), ERR_PASSPORT_OLD);
	r.service.passport_max_age = 3601000;
	cr_assert_eq(rule_invite(&r.j), OK);
	r.j.now_ms -= 3600000 + 61000;
	cr_assert_eq(rule_invite(&r.j), ERR_PASSPORT_FUTURE);
	request_fini(&r);
}

Test(rule_invite, without_a_trust_store_no_passport_is_good)
{
	struct request r;

	cr_assert_eq(open_request(&r, plain), OK);
	r.j.passports = NULL;
	cr_assert_eq(rule_invite(&r.j), ERR_PASSPORT_CERTIFICATE);
	request_fini(&r);
}
