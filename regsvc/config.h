/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - schleuse-regsvc's configuration: one immutable snapshot.
 *
 * Built and checked whole, files read and certificates judged; a new one replaces the old one on
 * SIGHUP.  doc: man/schleuse-regsvc.yaml.5, sample: etc/regsvc.yaml; a test compares the three.
 */
#ifndef SCHLEUSE_REGSVC_CONFIG_H
#define SCHLEUSE_REGSVC_CONFIG_H

#include <openssl/x509.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/snapshot.h"
#include "lib/conf/address.h"
#include "lib/conf/option.h"
#include "lib/daemon/lookup_section.h"
#include "lib/daemon/redis_section.h"
#include "regsvc/certs_conf.h"
#include "regsvc/gate_conf.h"
#include "regsvc/vzd_conf.h"

struct listener_conf {
	struct conf_address address; /* port 0: any */
};

struct regsvc_tls_conf {
	char *certificate, *key;    /* PEM files; certificate with its chain */
	struct conf_list hosts;     /* names the certificate must cover */
	struct conf_list client_ca; /* PEM files: whose certificates clients may show */
	bool tls13, http2;
	clock_ms ticket_lifetime;
	/* made while loading */
	struct str certificate_pem, key_pem;
	int64_t not_after;          /* wall-clock second at which the certificate ends */
	X509_STORE *client_anchors; /* NULL: none are asked for */
};

struct regsvc_limits {
	uint64_t head_max, target_max, fields_max;
	uint64_t body_max;
	uint64_t request_memory;          /* arena of one request */
	uint64_t connections_max;         /* in all */
	uint64_t connections_per_address; /* 0: any number */
	uint64_t changes_waiters;         /* requests that wait for changes */
	uint64_t changes_per_client;      /* ... of one client; 0: any number */
};

struct regsvc_timeouts {
	clock_ms handshake, head, body, idle, write;
	clock_ms changes; /* that a request waits for them */
	clock_ms drain;
};

struct regsvc_store_conf {
	uint64_t value_max, keys_max;
};

struct regsvc_conf {
	struct snapshot snap;
	char *path; /* of the file */
	/* process: change needs a restart */
	struct listener_conf *listeners;
	size_t n_listeners;
	struct conf_address admin;
	char *addresses_file; /* written with what was bound, or NULL */
	char *state_dir;
	/* behaviour: changes on reload */
	bool test_mode; /* self-signed certificates and keys others can read are allowed */
	enum log_level log_level;
	struct regsvc_tls_conf tls;
	struct regsvc_limits limits;
	struct regsvc_timeouts timeouts;
	struct redis_conf redis;
	struct regsvc_store_conf store;
	struct lookup_conf lookups;
	struct vzd_conf vzd;
	struct list_conf list;
	struct passport_conf passport;
	struct clients_conf clients;
	struct token_conf token;
	struct guard_conf guard;
	struct access_log_conf access_log;
};

/* Reads and checks the file.  NULL when anything is wrong: each fault is one line in `errors` with
 * "file:line:column: what is wrong, what would be right".  Warnings are logged.  The snapshot holds
 * one reference. */
struct regsvc_conf *regsvc_conf_load(const char *path, struct buf *errors) MUST_CHECK;

/* Whether settings differ that only a restart can change; their names are appended to `what`. */
bool regsvc_conf_needs_restart(
    const struct regsvc_conf *old, const struct regsvc_conf *new, struct buf *what);

/* Every setting with the value in force, as YAML; a secret is a file's name here, never its
 * content. */
bool regsvc_conf_print(const struct regsvc_conf *c, struct buf *out) MUST_CHECK;

extern const struct conf_option regsvc_conf_rows[]; /* for the manual's test */

#endif
