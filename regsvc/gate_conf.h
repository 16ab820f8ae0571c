/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate_conf - the settings of who may ask: sections "clients", "token", "guard" and "access_log".
 *
 * All of them apply on reload; the sizes of tables with the next start.
 */
#ifndef SCHLEUSE_REGSVC_GATE_CONF_H
#define SCHLEUSE_REGSVC_GATE_CONF_H

#include <openssl/evp.h>

#include "lib/base/clock.h"
#include "lib/conf/load.h"
#include "lib/daemon/guard.h"

#define TOKEN_KEYS_MAX 8

struct clients_conf {
	uint64_t max; /* records held */
	/* passwords: Argon2id, for hashes made from now on */
	uint64_t password_memory, password_passes;
	uint64_t password_threads, password_queue;
	clock_ms proven_lifetime; /* how long a proven password is believed; 0: never */
	uint64_t proven_max;
	clock_ms rotation_grace; /* how long the secret before counts, unless told otherwise */
};

struct token_conf {
	struct conf_list keys; /* PEM files of private keys; the first signs */
	char *issuer, *audience;
	clock_ms lifetime;
	/* made while loading */
	EVP_PKEY *pkeys[TOKEN_KEYS_MAX];
};

struct access_log_conf {
	clock_ms retention;
	uint64_t buffer_max; /* bytes collected between two writes */
};

/* What one setting demands of another. */
void gate_check(struct load *l, struct guard_conf *guard);
/* Reads and judges the keys; fini drops them. */
void gate_files(struct load *l, bool test_mode, struct token_conf *t);
void gate_files_fini(struct token_conf *t);

extern const struct conf_option clients_rows[], token_rows[], guard_rows[], access_log_rows[];

#endif
