/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/gate_conf.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "lib/daemon/setting.h"
#include "lib/jose/jws.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define CLIENTS(m) CONF_FIELD(struct clients_conf, m)
#define TOKEN(m) CONF_FIELD(struct token_conf, m)
#define GUARD(m) CONF_FIELD(struct guard_conf, m)
#define ACCESS(m) CONF_FIELD(struct access_log_conf, m)

/* clang-format off */
/* The floor of memory and passes is what OWASP's password storage cheat sheet asks of Argon2id. */
const struct conf_option clients_rows[] = {
	{ "max", CONF_COUNT, CLIENTS(max), "1000", 1, 100000, CONF_RELOAD, "clients that can be registered" },
	{ "password_memory", CONF_SIZE, CLIENTS(password_memory), "64M", 19 * MIB, 1 * GIB, CONF_RELOAD,
	  "memory of Argon2id for new secrets" },
	{ "password_passes", CONF_COUNT, CLIENTS(password_passes), "2", 2, 16, CONF_RELOAD,
	  "passes of Argon2id for new secrets" },
	{ "password_threads", CONF_COUNT, CLIENTS(password_threads), "2", 1, 64, CONF_RELOAD,
	  "secrets verified at the same time" },
	{ "password_queue", CONF_COUNT, CLIENTS(password_queue), "64", 1, 10000, CONF_RELOAD,
	  "requests that wait for that; others get 503" },
	{ "proven_lifetime", CONF_DURATION, CLIENTS(proven_lifetime), "1m", 0, 1 * HOUR, CONF_RELOAD,
	  "how long a verified secret is believed without verifying it again; 0: never" },
	{ "proven_max", CONF_COUNT, CLIENTS(proven_max), "1024", 8, 100000, CONF_RESTART,
	  "secrets believed at the same time" },
	{ "rotation_grace", CONF_DURATION, CLIENTS(rotation_grace), "1h", 0, 30 * DAY, CONF_RELOAD,
	  "how long the old secret still counts after a rotation, unless schleusectl says otherwise" },
	CONF_END
};

const struct conf_option token_rows[] = {
	{ "keys", CONF_PATHS, TOKEN(keys), "", 0, TOKEN_KEYS_MAX, CONF_RELOAD,
	  "PEM files of private keys on P-256; the first signs, all verify; none: one is made and kept in the store" },
	{ "issuer", CONF_STRING, TOKEN(issuer), "", 0, 255, CONF_RELOAD,
	  "iss of tokens; empty: https:// and the first of tls.hosts" },
	{ "audience", CONF_STRING, TOKEN(audience), "", 0, 255, CONF_RELOAD, "aud of tokens; empty: the issuer" },
	{ "lifetime", CONF_DURATION, TOKEN(lifetime), "1h", 1 * MINUTE, 1 * HOUR, CONF_RELOAD,
	  "how long a token counts" },
	CONF_END
};

const struct conf_option guard_rows[] = {
	GUARD_ROWS,
	{ "delay", CONF_DURATION, GUARD(delay), "100ms", 0, 10 * SECOND, CONF_RELOAD,
	  "how much later each further failure for one client is answered" },
	{ "delay_max", CONF_DURATION, GUARD(delay_max), "3s", 0, 30 * SECOND, CONF_RELOAD, "the longest of these delays" },
	GUARD_PLACES_ROW("addresses and clients"),
	CONF_END
};

const struct conf_option access_log_rows[] = {
	{ "retention", CONF_DURATION, ACCESS(retention), "100d", 92 * DAY, 3660 * DAY, CONF_RELOAD,
	  "how long the access log is kept" },
	{ "buffer_max", CONF_SIZE, ACCESS(buffer_max), "1M", 64 * KIB, 64 * MIB, CONF_RELOAD,
	  "lines of the access log collected in one second; others are lost and counted" },
	CONF_END
};
/* clang-format on */

#define KEY_FILE_MAX (16 << 10)

void
gate_check(struct load *l, struct guard_conf *guard)
{
	if (load_ok(l) && guard->delay > guard->delay_max)
		load_fault(l, load_given(l, &guard->delay) ? &guard->delay : &guard->delay_max,
		    "delay must not be above delay_max; lower the one or raise the other");
}

static EVP_PKEY *
parse_key(struct str pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key =
	    bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (char[1]){ 0 }) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return key;
}

static void
read_key(struct load *l, bool test_mode, char **path, EVP_PKEY **out)
{
	struct str pem;

	if (!setting_file(l, "keys", path, KEY_FILE_MAX, &pem))
		return;
	setting_private(l, test_mode, "keys", path);
	*out = parse_key(pem);
	setting_wipe(pem);
	if (*out == NULL)
		load_fault(
		    l, path, "keys: %s holds no private key in PEM without a passphrase", *path);
	else if (!jws_key_fits(JWS_ES256, *out))
		load_fault(l, path,
		    "keys: the key in %s is not on P-256; make one with 'openssl ecparam -name "
		    "prime256v1 -genkey -noout'",
		    *path);
}

void
gate_files(struct load *l, bool test_mode, struct token_conf *t)
{
	for (size_t i = 0; i < t->keys.n; i++)
		read_key(l, test_mode, &t->keys.v[i], &t->pkeys[i]);
}

void
gate_files_fini(struct token_conf *t)
{
	for (size_t i = 0; i < TOKEN_KEYS_MAX; i++)
		EVP_PKEY_free(t->pkeys[i]);
}
