/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - schleuse-regsvc's configuration: one immutable snapshot.
 *
 * Built and checked whole, files read and certificates judged; a new one replaces the old one on
 * SIGHUP.  doc: man/schleuse-regsvc.yaml.5, sample: etc/regsvc.yaml; a test compares the three.
 */
#ifndef SCHLEUSE_REGSVC_CONFIG_H
#define SCHLEUSE_REGSVC_CONFIG_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/daemon/lookup_section.h"
#include "lib/daemon/redis_section.h"
#include "lib/daemon/service_section.h"
#include "regsvc/certs_conf.h"
#include "regsvc/gate_conf.h"
#include "regsvc/vzd_conf.h"

struct changes_conf {
	uint64_t waiters;    /* requests that wait for changes */
	uint64_t per_client; /* ... of one client; 0: any number */
	clock_ms wait;       /* for which one may wait */
};

struct regsvc_store_conf {
	uint64_t value_max, keys_max;
};

struct regsvc_conf {
	struct service_conf service; /* first: its snapshot is ours */
	struct changes_conf changes;
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
