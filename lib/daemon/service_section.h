/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service_section - the settings that all daemons with one loop have in common: where they listen,
 * TLS, limits and times of connections, state, log.
 *
 * A daemon's configuration begins with a struct service_conf.  Its table begins with SERVICE_ROWS;
 * its sections "limits" and "timeouts" have the rows below and may have rows of its own between
 * them, so they are of the daemon's struct: their `field` is { 0, 0 }.
 *
 * service_check() and service_files() are the steps between the rows and a configuration in force:
 * each adds its faults to the load and goes on, so that an operator sees all of them at once;
 * fields may be NULL where an earlier step found a fault.
 */
#ifndef SCHLEUSE_DAEMON_SERVICE_SECTION_H
#define SCHLEUSE_DAEMON_SERVICE_SECTION_H

#include <openssl/x509.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/snapshot.h"
#include "lib/conf/load.h"

struct service_listener {
	struct conf_address address; /* port 0: any */
};

struct service_tls_conf {
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

struct service_limits {
	uint64_t head_max, target_max, fields_max;
	uint64_t body_max;
	uint64_t request_memory;          /* arena of one request */
	uint64_t connections_max;         /* in all */
	uint64_t connections_per_address; /* 0: any number */
};

struct service_timeouts {
	clock_ms handshake, head, body, idle, write;
	clock_ms drain;
};

struct service_conf {
	struct snapshot snap;
	char *path; /* of the file */
	/* process: change needs a restart */
	struct service_listener *listeners;
	size_t n_listeners;
	struct conf_address admin;
	char *addresses_file; /* written with what was bound, or NULL */
	char *state_dir;
	/* behaviour: changes on reload */
	bool test_mode; /* self-signed certificates and keys others can read are allowed */
	enum log_level log_level;
	struct service_tls_conf tls;
	struct service_limits limits;
	struct service_timeouts timeouts;
};

/* `type`: the daemon's struct, which has the struct service_conf as its member `at`. */
/* clang-format off */
#define SERVICE_ROWS(type, at) \
	{ "listeners", CONF_SEQUENCE, CONF_FIELD(type, at.listeners), NULL, 1, 64, CONF_RESTART, \
	  "where connections are accepted", .rows = service_listener_rows, \
	  .item_size = sizeof(struct service_listener), .count = CONF_FIELD(type, at.n_listeners) }, \
	{ "admin", CONF_ADDRESS, CONF_FIELD(type, at.admin), "", 0, 0, CONF_RESTART, \
	  "loopback address or unix socket of /health, /ready and /metrics" }, \
	{ "state_dir", CONF_PATH, CONF_FIELD(type, at.state_dir), NULL, 1, 4000, CONF_RESTART, \
	  "folder of what must outlive a restart" }, \
	{ "addresses_file", CONF_PATH, CONF_FIELD(type, at.addresses_file), "", 0, 4096, CONF_RESTART, \
	  "file that receives the bound addresses as JSON" }, \
	{ "test_mode", CONF_BOOL, CONF_FIELD(type, at.test_mode), "false", 0, 0, CONF_RELOAD, \
	  "whether self-signed certificates and keys that others can read are accepted" }, \
	{ "log_level", CONF_ENUM, CONF_FIELD(type, at.log_level), "info", 0, 0, CONF_RELOAD, \
	  "what is logged", .words = service_log_levels }, \
	{ "tls", CONF_SECTION, CONF_FIELD(type, at.tls), NULL, 0, 0, CONF_RELOAD, "TLS towards clients", \
	  .rows = service_tls_rows }

/* `body`, `address`: the defaults of body_max and connections_per_address. */
#define SERVICE_LIMIT_ROWS(type, at, body, address) \
	{ "head_max", CONF_SIZE, CONF_FIELD(type, at.limits.head_max), "16k", 1 << 10, 64 << 10, CONF_RELOAD, \
	  "request head" }, \
	{ "target_max", CONF_SIZE, CONF_FIELD(type, at.limits.target_max), "8k", 256, 32 << 10, CONF_RELOAD, \
	  "request target" }, \
	{ "fields_max", CONF_COUNT, CONF_FIELD(type, at.limits.fields_max), "100", 10, 1000, CONF_RELOAD, \
	  "header fields of a request" }, \
	{ "body_max", CONF_SIZE, CONF_FIELD(type, at.limits.body_max), body, 1 << 10, 16 << 20, CONF_RELOAD, \
	  "request body" }, \
	{ "request_memory", CONF_SIZE, CONF_FIELD(type, at.limits.request_memory), "1M", 64 << 10, 64 << 20, \
	  CONF_RELOAD, "memory for one request besides its answer" }, \
	{ "connections_max", CONF_COUNT, CONF_FIELD(type, at.limits.connections_max), "4096", 8, 1000000, \
	  CONF_RELOAD, "connections in all" }, \
	{ "connections_per_address", CONF_COUNT, CONF_FIELD(type, at.limits.connections_per_address), address, 0, \
	  100000, CONF_RELOAD, "connections from one address (IPv6: one /64); 0: any number" }

#define SERVICE_TIMEOUT_ROWS(type, at) \
	SERVICE_TIMEOUT_ROW(type, at, handshake, "10s", HOUR, "TLS handshake"), \
	SERVICE_TIMEOUT_ROW(type, at, head, "10s", HOUR, "request head"), \
	SERVICE_TIMEOUT_ROW(type, at, body, "10s", HOUR, "request body, without progress"), \
	SERVICE_TIMEOUT_ROW(type, at, idle, "75s", DAY, "connection without request"), \
	SERVICE_TIMEOUT_ROW(type, at, write, "30s", HOUR, "answer, without progress")
/* The last row of "timeouts". */
#define SERVICE_DRAIN_ROW(type, at) \
	{ "drain", CONF_DURATION, CONF_FIELD(type, at.timeouts.drain), "20s", 0, SERVICE_HOUR, CONF_RELOAD, \
	  "for open requests when shutting down" }

#define SERVICE_TIMEOUT_ROW(type, at, member, preset, most, help) \
	{ #member, CONF_DURATION, CONF_FIELD(type, at.timeouts.member), preset, 100, SERVICE_##most, CONF_RELOAD, \
	  help }
#define SERVICE_HOUR UINT64_C(3600000)
#define SERVICE_DAY (24 * SERVICE_HOUR)
/* clang-format on */

extern const struct conf_option service_listener_rows[], service_tls_rows[];
extern const struct conf_word service_log_levels[];

/* What one setting demands of another; implied values filled in.  No I/O. */
void service_check(struct load *l, struct service_conf *c);
/* Reads and judges what the settings name: certificate, key, trust anchors. */
void service_files(struct load *l, struct service_conf *c);
void service_files_fini(struct service_conf *c); /* wipes the key, drops what is not in the arena */

#endif
