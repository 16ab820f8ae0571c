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
#include "lib/daemon/lookup_section.h"
#include "lib/daemon/redis_section.h"
#include "lib/daemon/trust_section.h"
#include "lib/http/fetch.h"
#include "lib/net/address.h"
#include "proxy/routes.h"

struct passport_trust;

#define PROXY_SECRET_KEY 32 /* crypto_generichash_KEYBYTES */

enum rule_mode { RULE_ENFORCE, RULE_LOG, RULE_OFF };

enum ocsp_mode { OCSP_FILE, OCSP_FETCH, OCSP_OFF };

/* A well-known document: whose it is, and what the proxy answers if it is its own. */
enum document_mode { DOCUMENT_FORWARD, DOCUMENT_OFF, DOCUMENT_SERVE };

struct document {
	enum document_mode mode;
	struct str body, fields; /* JSON; header lines */
};

/* How a federation is known: its list and whose PASSporTs count. */
struct passport_cert_conf {
	char *file;
	char *x5u; /* or NULL */
};

enum list_source { LIST_GIVEN, LIST_FILE, LIST_URL, LIST_REGSVC }; /* GIVEN: file or url */
enum passport_source { PASSPORT_FILES, PASSPORT_REGSVC };
enum regsvc_auth { REGSVC_BASIC, REGSVC_OAUTH, REGSVC_MTLS };

/* The registration service, and who we are there. */
struct regsvc_conf {
	char *url;          /* https, without path behind; NULL: there is none */
	char *subscription; /* UUID */
	enum regsvc_auth auth;
	char *client_id, *password_file; /* basic, oauth */
	char *certificate, *key;         /* mtls: PEM files */
	char *ca_file;                   /* instead of the system's, or NULL */
	clock_ms wait;                   /* of a long poll */
	clock_ms timeout;                /* of any other request */
	clock_ms outdated_wait;          /* not asked for the list after it was outdated there */
	uint64_t miss_rate;              /* questions a minute because of unknown names */
	clock_ms miss_ttl;               /* not asked for the same name again */
	/* made while loading */
	struct str password;
	struct fetch_identity identity;
};

struct federation_conf {
	char *name; /* what services refer to */
	struct regsvc_conf regsvc;
	enum list_source list_source; /* never LIST_GIVEN once loaded */
	char *list_file;              /* compact JWS; or */
	char *list_url;               /* https URL of it */
	char *list_ca_file;           /* extra CA for list_url, NULL: system store */
	clock_ms list_interval;       /* between looks at file or URL */
	clock_ms list_ttl;            /* older: federation is closed */
	uint64_t list_max_bytes, list_max_entries;
	struct conf_list list_anchors; /* PEM files */
	char *list_signer_role;        /* OID or NULL */
	char *list_signer_cn;          /* or NULL */
	struct trust_conf list_trust;
	bool ports_any;
	struct conf_list passport_anchors;    /* PEM files */
	enum passport_source passport_source; /* besides the files */
	struct passport_cert_conf *passport_certs;
	size_t n_passport_certs;
	clock_ms passport_interval, passport_ttl; /* of certificates from regsvc */
	uint64_t passport_max;                    /* of them */
	struct trust_conf passport_trust;         /* of them */
	/* made while loading */
	X509_STORE *anchors;               /* of the list */
	X509_STORE *passport_anchor_store; /* of PASSporT certificates, or NULL */
	struct passport_trust *passports;  /* of the files; one reference; NULL when not needed */
};

struct contact_conf {
	char *role, *matrix_id, *email; /* the last two: or NULL */
};

struct well_known_conf {
	char *server; /* "forward", "off", or host:port */
	char *client; /* "forward", "off", or an https URL */
	char *identity_server, *client_file;
	enum document_mode support;
	char *support_file, *support_page;
	struct contact_conf *contacts;
	size_t n_contacts;
	clock_ms max_age;
	/* made while loading, by enum route_document */
	struct document documents[ROUTE_DOCUMENTS];
};

/* --- which homeserver process serves what --- */

#define UPSTREAM_ADDRESSES_MAX 64

enum balance { BALANCE_NONE, BALANCE_USER, BALANCE_ROOM };
enum check_mode { CHECK_AUTO, CHECK_ON, CHECK_OFF };

struct upstream_conf {
	char *name;
	struct conf_list addresses;
	enum balance balance; /* requests of one user or room go to one address */
	enum check_mode check;
	char *check_path;
	clock_ms check_interval, check_timeout;
	uint64_t check_rise, check_fall; /* good or bad checks in a row that change the state */
	clock_ms down_min, down_max;     /* how long an address is left out that refused us */
	/* made while loading */
	struct conf_address *address; /* addresses.n of them */
	size_t first;                 /* addresses are numbered over the whole configuration */
	bool checked;
};

struct path_conf {
	char *path;
	unsigned methods; /* bits 1 << enum h1_method; 0: any */
	char *upstream;   /* name */
};

struct paths;

/* A destination of the homeserver that has nothing to do with the federation. */
struct allowed_conf {
	char *host; /* lower case; "*.example.org": all names below it */
	uint64_t port;
	bool inspect; /* TLS is ended here; else the tunnel passes as it is */
};

/* The way out of one messenger service. */
struct way_out_conf {
	char
	    *secret_file; /* what the homeserver authenticates with here; NULL: it may not go out */
	enum rule_mode signature; /* of the homeserver itself */
	enum rule_mode invites;   /* PASSporTs of outgoing invites */
	enum rule_mode domains;   /* membership of domains in events */
	struct allowed_conf *allow;
	size_t n_allow;
	/* made while loading */
	struct str secret;
};

/* The forward proxy of all services. */
struct forward_conf {
	char *ca_certificate, *ca_key; /* PEM files of the CA of tunnels; NULL: tunnels are refused
					  unless they pass as they are */
	clock_ms leaf_lifetime;
	uint64_t leaves_max;
	char *proxy;                  /* "host:port" of an HTTP proxy on the way out, or NULL */
	char *proxy_credentials_file; /* user:password for it, or NULL */
	uint64_t destinations_max;    /* known at the same time, per worker */
	uint64_t connections_max, idle_max, queue_max; /* per worker and destination */
	uint64_t idle_total_max;                       /* per worker */
	uint64_t tunnels_max;                          /* per worker */
	clock_ms connect_timeout;                      /* with TLS handshake */
	clock_ms attempt_delay, idle_timeout, queue_timeout, tunnel_idle_timeout;
	/* made while loading */
	struct conf_address proxy_at; /* `proxy` */
	struct str proxy_key;         /* destination_key_own() of it; n == 0: none */
	struct minter_ca *ca;         /* one reference, or NULL */
	X509_STORE *anchors;          /* of other servers' certificates; NULL without a listener */
	struct str proxy_authorization; /* value of the field for `proxy`; n == 0: none */
};

struct service_conf {
	char *server_name;       /* Matrix server name, normal form */
	struct conf_list hosts;  /* public, lower case; the server name's host is always one */
	char *certificate, *key; /* PEM files; certificate with its chain */
	enum ocsp_mode ocsp;
	char *ocsp_file;                 /* DER OCSP response to staple, or NULL */
	char *ocsp_url;                  /* of the responder; NULL: as the certificate says */
	bool is_default;                 /* served to clients without SNI */
	struct conf_address upstream;    /* the homeserver */
	struct upstream_conf *upstreams; /* others */
	size_t n_upstreams;
	struct path_conf *paths; /* what goes to them */
	size_t n_paths;
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
	struct way_out_conf way_out;
	struct well_known_conf well_known;
	/* made while loading */
	struct upstream_conf homeserver; /* `upstream` as one of them */
	struct paths *map;               /* of `paths` to 0: the homeserver, n: upstreams[n - 1];
					    NULL: all goes to the homeserver */
	struct str certificate_pem, key_pem; /* the files' bytes; n == 0: none */
	X509 *leaf, *issuer;                 /* first and second certificate of the file, or NULL */
	int64_t certificate_not_after;       /* wall-clock second at which the certificate ends */
};

enum listener_kind {
	LISTEN_CLIENTS = 1,
	LISTEN_FEDERATION = 2,
	LISTEN_BOTH = 3,
	LISTEN_OUTBOUND = 4 /* the homeserver's way out; alone, without TLS */
};

struct listener_conf {
	struct conf_address address; /* port 0: any */
	enum listener_kind kind;     /* a path of the other kind is 404 here */
	bool proxied;                /* connections begin with a PROXY header */
	struct conf_list proxies_from;
	struct networks proxies; /* the same, made while loading */
	char *service;     /* outbound: whose homeserver this is for; NULL: its credential tells */
	char *socket_mode; /* outbound: of a unix socket, octal; NULL: 666 */
	/* made while loading */
	const struct service_conf *only; /* `service`, or NULL */
	unsigned mode;                   /* `socket_mode` */
};

/* What is counted for itself by the limits of rates. */
enum rate_limit {
	RATE_LOGIN,
	RATE_REGISTER,
	RATE_PASSWORD,
	RATE_CLIENT,
	RATE_FEDERATION,
	RATE_FEDERATION_ADDRESS,
	RATE_LIMITS
};

struct rate_conf {
	uint64_t per_minute, burst; /* per_minute 0: no limit */
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
	struct forward_conf forward;
	struct strmap by_secret; /* index of the service by a keyed digest of its secret; made while
				    loading, as is the key */
	unsigned char secret_key[PROXY_SECRET_KEY];
	struct strmap by_host; /* index of the service; made while loading */
	size_t n_addresses;    /* of all upstreams; made while loading */
	/* tls */
	bool tls13;               /* offer 1.3 */
	bool http2;               /* offer it by ALPN */
	clock_ms ticket_lifetime; /* keys rotate twice as often */
	char *ticket_file;        /* keys of session tickets, or NULL */
	bool ticket_redis;        /* they are shared through redis, */
	char *ticket_secret_file; /* encrypted with this */
	struct str ticket_secret; /* made while loading */
	clock_ms hsts;            /* 0: not sent */
	struct str hsts_value;    /* made while loading */
	struct redis_conf redis;
	/* limits; bytes */
	uint64_t head_max, target_max; /* target_max < head_max */
	uint64_t fields_max;
	uint64_t client_body_max;         /* streamed client bodies */
	uint64_t federation_body_max;     /* inspected federation bodies, held in memory */
	uint64_t inspect_body_max;        /* inspected client bodies */
	uint64_t relay_buffer;            /* held per direction while the other side is slow */
	uint64_t request_memory;          /* arena of one request */
	uint64_t connections_max;         /* of clients, in the whole process */
	uint64_t connections_per_address; /* 0: any number */
	struct conf_list exempt_from;     /* networks whose addresses stand for many clients */
	struct networks exempt;           /* the same, made while loading */
	uint64_t body_rate_min, write_rate_min; /* bytes a second; 0: any */
	struct rate_conf rates[RATE_LIMITS];
	uint64_t rate_names_max; /* clients and servers whose rate is remembered */
	uint64_t h2_streams_max; /* per connection, at the same time */
	uint64_t h2_stream_window, h2_connection_window; /* request bytes held */
	uint64_t h2_resets_max, h2_frames_max;           /* per connection and half minute */
	/* per worker and service */
	uint64_t upstream_connections_max, upstream_idle_max, upstream_queue_max;
	/* limits; times */
	clock_ms handshake_timeout, head_timeout, idle_timeout;
	clock_ms body_timeout, write_timeout; /* without progress */
	clock_ms rate_window; /* over which body_rate_min and write_rate_min count */
	clock_ms upstream_connect_timeout, upstream_idle_timeout, upstream_queue_timeout;
	/* from the end of the request to the first byte of the answer, by enum route_pace */
	clock_ms upstream_timeout, upstream_slow_timeout, upstream_media_timeout;
	clock_ms poll_margin, poll_max;  /* a long poll: what the client asks for and a margin */
	clock_ms upstream_body_timeout;  /* without progress of the answer */
	clock_ms upstream_total_timeout; /* for all of it; 0: none */
	clock_ms drain_timeout;
	clock_ms drain_idle_timeout; /* kept for a last request while draining */
	clock_ms handover_timeout;   /* until a successor must be ready */
	clock_ms fact_timeout;       /* how long a request waits for a look-up */
	/* look-ups */
	struct lookup_conf lookups;
	struct conf_list notaries; /* asked for keys when the origin cannot be reached */
	uint64_t keys_max_entries, accounts_max_entries, discovery_max_entries;
	uint64_t misses_max_entries; /* unknown names the registration service was asked about */
	clock_ms keys_ttl_max, account_ttl, negative_ttl, negative_ttl_max;
	uint64_t invites_max; /* accepted invites remembered per process */
	clock_ms invites_ttl;
};

/* Reads and checks the file.  NULL when anything is wrong: each fault is one line in `errors` with
 * "file:line:column: what is wrong, what would be right".  Warnings are logged.  The snapshot holds
 * one reference. */
struct proxy_conf *proxy_conf_load(const char *path, struct buf *errors) MUST_CHECK;

/* The same, but the files it names are not looked at: what they hold is missing. */
struct proxy_conf *proxy_conf_read(const char *path, struct buf *errors) MUST_CHECK;

/* 0: the homeserver, n: upstreams[n - 1]. */
static inline const struct upstream_conf *
service_upstream(const struct service_conf *s, size_t n)
{
	return n == 0 ? &s->homeserver : &s->upstreams[n - 1];
}

/* host: lower case, no port. */
const struct service_conf *proxy_conf_service_by_host(const struct proxy_conf *c, struct str host);
/* name: normal form.  NULL: none; while loading, names may be missing. */
const struct service_conf *proxy_conf_service_by_name(const struct proxy_conf *c, struct str name);
/* The service whose way_out.secret this is; NULL: none.  What is compared are digests under a key
 * of this snapshot, so that the time it takes says nothing. */
const struct service_conf *proxy_conf_service_by_secret(
    const struct proxy_conf *c, struct str secret);
const struct federation_conf *proxy_conf_federation(
    const struct proxy_conf *c, const struct service_conf *s);

/* Whether settings differ that only a restart can change; their names are appended to `what`. */
bool proxy_conf_needs_restart(
    const struct proxy_conf *old, const struct proxy_conf *new, struct buf *what);

/* Every setting with the value in force, as YAML; a secret is a file's name here, never its
 * content. */
bool proxy_conf_print(const struct proxy_conf *c, struct buf *out) MUST_CHECK;

extern const struct conf_option proxy_federation_rows[]; /* of struct federation_conf */
extern const struct conf_option proxy_way_out_rows[];    /* of struct way_out_conf */
extern const struct conf_option proxy_forward_rows[];    /* of struct forward_conf */
extern const struct conf_option proxy_conf_rows[]; /* of struct proxy_conf; for the manual's test */

#endif
