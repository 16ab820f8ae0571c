/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - schleuse-proxy's configuration: one immutable snapshot.
 *
 * Built and checked whole on the control thread (files read, certificates judged); a new one
 * replaces the old one by letter to the workers.  doc: man/schleuse-proxy.yaml.5, sample:
 * etc/proxy.yaml; a test compares the three.
 */
#ifndef SCHLEUSE_PROXY_CONFIG_H
#define SCHLEUSE_PROXY_CONFIG_H

#include <openssl/x509.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/snapshot.h"
#include "lib/base/strmap.h"
#include "lib/conf/address.h"
#include "lib/conf/option.h"

struct passport_trust;

enum rule_mode { RULE_ENFORCE, RULE_LOG, RULE_OFF };

/* How a federation is known: its list and whose PASSporTs count. */
struct passport_cert_conf {
	char *file;
	char *x5u; /* or NULL */
};

struct federation_conf {
	char *name;             /* what services refer to */
	char *list_file;        /* compact JWS; or */
	char *list_url;         /* https URL of it */
	char *list_ca_file;     /* extra CA for list_url, NULL: system store */
	clock_ms list_interval; /* between looks at file or URL */
	clock_ms list_ttl;      /* older: federation is closed */
	uint64_t list_max_bytes, list_max_entries;
	struct conf_list list_anchors; /* PEM files */
	char *list_signer_role;        /* OID or NULL */
	char *list_signer_cn;          /* or NULL */
	bool ports_any;
	struct conf_list passport_anchors; /* PEM files */
	struct passport_cert_conf *passport_certs;
	size_t n_passport_certs;
	/* made while loading */
	X509_STORE *anchors;              /* of the list */
	struct passport_trust *passports; /* holds one reference; NULL when no service needs it */
};

struct service_conf {
	char *server_name;       /* Matrix server name, normal form */
	struct conf_list hosts;  /* public, lower case; the server name's host is always one */
	char *certificate, *key; /* PEM files; certificate with its chain */
	char *ocsp_file;         /* DER OCSP response to staple, or NULL */
	bool is_default;         /* served to clients without SNI */
	struct conf_address upstream;
	char *federation;           /* name */
	size_t federation_index;    /* into proxy_conf.federations */
	enum rule_mode invite_rule; /* PASSporT */
	bool passport_iat_optional;
	clock_ms passport_max_age, passport_max_future;
	enum rule_mode displayname_rule;
	struct conf_list org_admins;  /* MXIDs */
	bool org_admin_by_homeserver; /* the homeserver's admin flag counts too */
	bool destination_optional;    /* X-Matrix without destination */
	bool version_open;            /* federation/v1/version without authentication */
	bool openid_open;             /* federation/v1/openid/userinfo without authentication */
	bool admin_paths;             /* forward /_synapse/admin */
	/* made while loading */
	struct str certificate_pem, key_pem, ocsp_der; /* the files' bytes; n == 0: none */
	int64_t certificate_not_after; /* wall-clock second at which the certificate ends */
};

enum listener_kind { LISTEN_CLIENTS = 1, LISTEN_FEDERATION = 2, LISTEN_BOTH = 3 };

struct listener_conf {
	struct conf_address address; /* port 0: any */
	enum listener_kind kind;     /* a path of the other kind is 404 here */
};

struct host_conf {
	char *name;
	char *address;
};

struct proxy_conf {
	struct snapshot snap;
	char *path; /* of the file */
	/* process: change needs a restart */
	unsigned workers; /* 0: one per core */
	char *state_dir;
	/* behaviour: changes on reload */
	struct conf_address admin;
	char *addresses_file; /* written with what was bound, or NULL */
	struct listener_conf *listeners;
	size_t n_listeners;
	/* Self-signed server certificates, plain upstream names beyond loopback are allowed. */
	bool test_mode;
	enum log_level log_level;
	struct service_conf *services;
	size_t n_services;
	struct federation_conf *federations;
	size_t n_federations;
	struct strmap by_host; /* index of the service; made while loading */
	/* tls */
	bool tls13;               /* offer 1.3 */
	clock_ms ticket_lifetime; /* keys rotate twice as often */
	/* limits; bytes */
	uint64_t head_max, target_max; /* target_max < head_max */
	uint64_t fields_max;
	uint64_t client_body_max;     /* streamed client bodies */
	uint64_t federation_body_max; /* inspected federation bodies, held in memory */
	uint64_t inspect_body_max;    /* inspected client bodies */
	uint64_t relay_buffer;        /* held per direction while the other side is slow */
	uint64_t request_memory;      /* arena of one request */
	uint64_t connections_max;     /* per worker, clients */
	/* per worker and service */
	uint64_t upstream_connections_max, upstream_idle_max, upstream_queue_max;
	/* limits; times */
	clock_ms handshake_timeout, head_timeout, idle_timeout;
	clock_ms body_timeout, write_timeout; /* without progress */
	clock_ms upstream_connect_timeout, upstream_idle_timeout, upstream_queue_timeout;
	clock_ms upstream_timeout;      /* to the first byte, ordinary */
	clock_ms upstream_slow_timeout; /* the same for long polls, state, join */
	clock_ms drain_timeout;
	clock_ms drain_idle_timeout; /* kept for a last request while draining */
	clock_ms handover_timeout;   /* until a successor must be ready */
	clock_ms fact_timeout; /* how long a request waits for a look-up */
	/* look-ups */
	struct conf_list nameservers; /* "ip" or "ip:port"; empty: the system's */
	struct host_conf *hosts;      /* fixed addresses, before DNS */
	size_t n_hosts;
	char *ca_file;  /* CAs for other servers' certificates besides the system store, or NULL */
	bool ca_system; /* use the system store */
	bool private_addresses; /* allow look-ups to reach addresses that are not public */
	clock_ms fetch_timeout;
	uint64_t fetch_max_bytes;
	struct conf_list notaries; /* asked for keys when the origin cannot be reached */
	uint64_t keys_max_entries, accounts_max_entries, discovery_max_entries;
	clock_ms keys_ttl_max, account_ttl, negative_ttl, negative_ttl_max;
	uint64_t invites_max; /* accepted invites remembered per process */
	clock_ms invites_ttl;
};

/* Reads and checks the file.  NULL when anything is wrong: each fault is one line in `errors` with
 * "file:line:column: what is wrong, what would be right".  Warnings are logged.  The snapshot holds
 * one reference. */
struct proxy_conf *proxy_conf_load(const char *path, struct buf *errors) MUST_CHECK;

/* host: lower case, no port. */
const struct service_conf *proxy_conf_service_by_host(const struct proxy_conf *c, struct str host);
const struct federation_conf *proxy_conf_federation(
    const struct proxy_conf *c, const struct service_conf *s);

/* Whether settings differ that only a restart can change; their names are appended to `what`. */
bool proxy_conf_needs_restart(
    const struct proxy_conf *old, const struct proxy_conf *new, struct buf *what);

/* Every setting with the value in force, as YAML; a secret is a file's name here, never its
 * content. */
bool proxy_conf_print(const struct proxy_conf *c, struct buf *out) MUST_CHECK;

extern const struct conf_option proxy_conf_rows[]; /* of struct proxy_conf; for the manual's test */

#endif
