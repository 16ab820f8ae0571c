/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - schleuse-pushgw's configuration: one immutable snapshot.
 *
 * Built and checked whole, files read and keys and certificates judged; a new one replaces the old
 * one on SIGHUP, credentials included.  doc: man/schleuse-pushgw.yaml.5, sample: etc/pushgw.yaml; a
 * test compares the three.
 */
#ifndef SCHLEUSE_PUSHGW_CONFIG_H
#define SCHLEUSE_PUSHGW_CONFIG_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "lib/daemon/guard.h"
#include "lib/daemon/lookup_section.h"
#include "lib/daemon/redis_section.h"
#include "lib/daemon/service_section.h"
#include "lib/jose/jwt.h"
#include "lib/net/address.h"

#define PUSHGW_APPS_MAX 1000
#define PUSHGW_TOKEN_KEYS_MAX 8

/* --- who may notify --- */

struct client_conf { /* a homeserver that proves itself by name and password (RFC 7617) */
	char *name, *password_file;
	struct str password; /* made while loading */
};

struct clients_conf { /* no certificates, basic and token: whoever comes from `networks` */
	struct conf_list networks;     /* CIDR; empty: from anywhere */
	struct conf_list certificates; /* DNS names or SHA-256 fingerprints of client certificates
					* by tls.client_ca; "*": any of them */
	struct client_conf *basic;
	size_t n_basic;
	struct conf_list token_keys; /* PEM files of public keys of the registration service */
	char *token_issuer, *token_audience;
	/* made while loading; certificates are lower case, fingerprints without colons */
	struct networks from;
	struct jwt_key keys[PUSHGW_TOKEN_KEYS_MAX];
};

struct notify_conf {
	uint64_t devices_max;    /* of one notification */
	uint64_t data_max;       /* bytes of one device's `data` */
	uint64_t ciphertext_max; /* bytes of what MSC3013 encrypted */
	uint64_t rate;           /* devices a minute of one address; 0: any number */
};

/* --- the queue --- */

enum fsync_policy { FSYNC_ALWAYS, FSYNC_INTERVAL, FSYNC_NEVER };

struct queue_conf {
	clock_ms delay_max; /* 10 s; less only in test mode (ML-123618-3) */
	uint64_t count_max, bytes_max, per_pushkey_max;
	clock_ms age_max;    /* after which a push is given up */
	clock_ms duplicates; /* how long a push is remembered to tell a repeated one */
	enum fsync_policy fsync;
	clock_ms fsync_interval;
	clock_ms visibility; /* Redis: after which another gateway may deliver what one took */
};

struct rejected_conf {
	clock_ms lifetime;
	uint64_t max;
};

/* --- delivery --- */

struct delivery_conf {
	clock_ms retry_min, retry_max; /* between attempts */
	clock_ms connect_timeout, request_timeout;
	/* circuit breaker */
	clock_ms breaker_pause;  /* between probes while open */
	uint64_t breaker_window; /* the last attempts looked at */
	uint64_t breaker_share;  /* per cent of them with a suspect pushkey: it opens */
};

enum app_provider { APP_APNS, APP_FCM, APP_WEBPUSH, APP_UNIFIEDPUSH, APP_PROVIDERS };
enum opt_in { OPT_IN_PUSHER, OPT_IN_REQUIRED };
enum counts_only { COUNTS_DROP, COUNTS_WAKE };
enum apns_push_type { APNS_ALERT, APNS_BACKGROUND, APNS_VOIP };
enum apns_token { APNS_TOKEN_AUTO, APNS_TOKEN_HEX, APNS_TOKEN_BASE64 };

struct apns_conf {
	char *url; /* https://host[:port] of the environment, set by `environment` or given */
	bool sandbox;
	char *topic; /* bundle ID; unless given, the certificate's */
	enum apns_push_type push_type;
	enum apns_token token;
	char *key_file, *key_id, *team_id;   /* token authentication, or */
	char *certificate, *certificate_key; /* no key: it is in the certificate's file */
	struct conf_list payload;            /* paths of default_payload that are let through */
	/* made while loading */
	EVP_PKEY *key;         /* P-256, or of the certificate */
	X509 *leaf;            /* NULL: token authentication */
	STACK_OF(X509) *chain; /* its issuers */
	int64_t not_after;     /* of the certificate; 0: none */
};

struct fcm_conf {
	char *service_account_file;
	char *url;                /* https://fcm.googleapis.com unless given */
	char *project_id;         /* unless given, the service account's */
	clock_ms ttl;             /* how long FCM keeps it */
	struct conf_list payload; /* members of default_payload that go into `data` as strings */
	char *token_url;          /* unless given, the service account's */
	/* made while loading, of the service account */
	char *client_email, *key_id;
	EVP_PKEY *key; /* RSA */
};

struct webpush_conf {
	char *vapid_key_file, *contact; /* mailto: or https: */
	struct conf_list endpoints; /* globs of hosts that pushers may name; empty: any public */
	clock_ms ttl;
	bool events_only; /* unless the pusher says so itself */
	/* made while loading */
	EVP_PKEY *key; /* P-256 */
};

struct unifiedpush_conf {
	struct conf_list endpoints; /* as those of Web Push */
};

struct app_conf {
	char *id; /* app_id, or a glob ("*" and "?") */
	enum app_provider provider;
	enum opt_in opt_in;
	char *opt_in_flag; /* the member of `data` that must be true */
	enum counts_only counts_only;
	uint64_t concurrency;      /* requests at the same time */
	uint64_t host_concurrency; /* of them, to one host that devices name */
	uint64_t rate;             /* pushes a minute; 0: any number */
	struct apns_conf apns;
	struct fcm_conf fcm;
	struct webpush_conf webpush;
	struct unifiedpush_conf unifiedpush;
};

struct pushgw_conf {
	struct service_conf service; /* first: its snapshot is ours */
	struct clients_conf clients;
	struct guard_conf guard; /* without delays */
	struct notify_conf notify;
	struct redis_conf redis;
	struct queue_conf queue;
	struct rejected_conf rejected;
	struct lookup_conf lookups;
	char *proxy, *proxy_credentials_file; /* "host:port" of an HTTP proxy on the way out */
	struct conf_address proxy_address;    /* made while loading */
	struct str proxy_authorization;
	struct delivery_conf delivery;
	struct app_conf *apps;
	size_t n_apps;
};

/* Reads and checks the file.  NULL when anything is wrong: each fault is one line in `errors` with
 * "file:line:column: what is wrong, what would be right".  Warnings are logged.  The snapshot holds
 * one reference. */
struct pushgw_conf *pushgw_conf_load(const char *path, struct buf *errors) MUST_CHECK;

/* Whether settings differ that only a restart can change; their names are appended to `what`. */
bool pushgw_conf_needs_restart(
    const struct pushgw_conf *old, const struct pushgw_conf *new, struct buf *what);

/* Every setting with the value in force, as YAML; a secret is a file's name here, never its
 * content. */
bool pushgw_conf_print(const struct pushgw_conf *c, struct buf *out) MUST_CHECK;

extern const struct conf_option pushgw_conf_rows[]; /* for the manual's test */

/* --- which app --- */

enum app_match { APP_FOUND, APP_UNKNOWN, APP_AMBIGUOUS };

/* The entry an app_id belongs to: the exact one, or the only glob that matches. */
enum app_match pushgw_conf_app(
    const struct pushgw_conf *c, struct str app_id, size_t *index) MUST_CHECK;

#endif
