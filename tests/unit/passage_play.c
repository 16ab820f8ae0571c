/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/passage_play.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>

#include "lib/matrix/canonical.h"
#include "lib/matrix/xmatrix.h"

struct exchange ex;
struct serverkeys *keys;

static unsigned char secret[64];
static char xmatrix[1024];

void
never_free(struct snapshot *s)
{
	cr_assert_fail("a reference too many was dropped");
}

const struct fact *
negative(enum err err)
{
	static struct fact f;

	f = (struct fact){ .err = err };
	snapshot_init(&f.snap, never_free);
	return &f;
}

void
make_keys(const char *server)
{
	unsigned char public_key[32], sig[64];
	char text[1024], b64[128];
	int n;

	crypto_sign_ed25519_keypair(public_key, secret);
	sodium_bin2base64(b64, sizeof(b64), public_key, 32, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	n = snprintf(text, sizeof(text),
	    "{\"server_name\":\"%s\",\"valid_until_ts\":%lld,\"verify_keys\":{\"ed25519:1\":{\"key\":\"%s\"}}}",
	    server, (long long)clock_wall_ms() + 3600000, b64);
	crypto_sign_ed25519_detached(sig, NULL, (unsigned char *)text, (size_t)n, secret);
	sodium_bin2base64(b64, sizeof(b64), sig, 64, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	snprintf(text + n - 1, sizeof(text) - (size_t)n, ",\"signatures\":{\"%s\":{\"ed25519:1\":\"%s\"}}}", server, b64);
	cr_assert_eq(serverkeys_parse(str_z(text), str_z(server), clock_wall_ms(), &keys), OK);
}

/* --- playing the world --- */

void
finish(void)
{
	if (around.n_graves == 0 && ex.events != NULL)
		ex.events->gone(ex.arg, ERR_CLIENT_GONE);
	end_turn();
	around.answered = around.dialled = 0;
	ex.events = NULL;
	arena_fini(&ex.arena);
}

const char *
sign_request(const char *origin, const char *destination, const char *key_id, const char *method,
    const char *target, const char *body)
{
	unsigned char sig[64];
	char b64[128];
	struct arena a;
	struct str content = STR_NONE, bytes;

	arena_init(&a, 1 << 16);
	if (body != NO_BODY)
		cr_assert_eq(canonical_form(&a, str_z(body), &content), OK);
	bytes = xmatrix_signed_bytes(&a, str_z(method), str_z(target), str_z(origin), str_z(destination), content);
	crypto_sign_ed25519_detached(sig, NULL, (const unsigned char *)bytes.p, bytes.n, secret);
	arena_fini(&a);
	sodium_bin2base64(b64, sizeof(b64), sig, 64, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	snprintf(xmatrix, sizeof(xmatrix),
	    "Authorization: X-Matrix origin=%s,destination=%s,key=\"%s\",sig=\"%s\"\r\n", origin, destination, key_id, b64);
	return xmatrix;
}

void
answer_fact(const struct fact *f)
{
	struct fact_wait *w = around.waiting;

	cr_assert_not_null(w, "nobody asked");
	around.waiting = NULL;
	w->fn(w->arg, f);
}

void
answer_invites(bool known)
{
	const bool answer[INVITES_MAX] = { known };
	void (*fn)(void *arg, const bool *known) = around.on_invites;

	cr_assert_not_null(fn, "nobody asked");
	around.on_invites = NULL;
	fn(around.invites_arg, answer);
}

void
connect_upstream(struct upstream *up, enum err why)
{
	struct pool_wait *w = around.dialling;

	cr_assert_not_null(w, "nobody dials");
	around.dialling = NULL;
	w->fn(w->arg, up, why);
}

void
upstream_answers(int status, enum err err)
{
	struct forward *f = around.forward;

	cr_assert_not_null(f, "nothing was forwarded");
	if (status != 0) {
		f->response_head = true;
		f->resp.status = status;
		f->how.on_head(f->arg, status);
	}
	around.forward = NULL;
	f->fn(f->arg, err);
}

void
check_nothing_pending(void)
{
	cr_assert_eq(around.n_graves, 1);
	cr_assert_null(around.waiting);
	cr_assert_null(around.on_invites);
	cr_assert_null(around.dialling);
	cr_assert_null(around.forward);
	cr_assert_null(around.timer);
}

void
check_refused(enum err why)
{
	cr_assert_eq(around.answered, 1, "%u answers", around.answered);
	cr_assert_eq(around.status, err_rows[why].status, "%d: %s", around.status, around.body);
	cr_assert(strstr(around.body, err_text(why)) != NULL, "%s", around.body);
	cr_assert_eq(around.forwarded, 0);
	cr_assert_eq(around.ended + around.aborted, 0);
	check_nothing_pending();
}

void
check_passes(void)
{
	cr_assert_eq(around.answered, 0, "%s", around.body);
	cr_assert_eq(around.dialled, 1);
}
