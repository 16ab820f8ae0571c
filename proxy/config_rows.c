/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_rows - the settings of schleuse-proxy, in the order of the sample file.
 *
 * A row here, its entry in man/schleuse-proxy.yaml.5 and its line in etc/proxy.yaml belong
 * together; a test compares the three.
 */
#include "lib/http/h1.h"
#include "proxy/config.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND UINT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

#define LISTENER(m) CONF_FIELD(struct listener_conf, m)
#define CONTACT(m) CONF_FIELD(struct contact_conf, m)
#define SERVICE(m) CONF_FIELD(struct service_conf, m)
#define UPSTREAM(m) CONF_FIELD(struct upstream_conf, m)
#define ROUTED(m) CONF_FIELD(struct path_conf, m)
#define PROXY(m) CONF_FIELD(struct proxy_conf, m)

/* clang-format off */
static const struct conf_word kinds[] = {
	{ "clients", LISTEN_CLIENTS }, { "federation", LISTEN_FEDERATION },
	{ "outbound", LISTEN_OUTBOUND }, { NULL, 0 } };
static const struct conf_word levels[] = {
	{ "error", LOG_ERROR }, { "warn", LOG_WARN }, { "info", LOG_INFO }, { "debug", LOG_DEBUG }, { NULL, 0 } };
static const struct conf_word modes[] = {
	{ "enforce", RULE_ENFORCE }, { "log", RULE_LOG }, { "off", RULE_OFF }, { NULL, 0 } };
static const struct conf_word document_modes[] = {
	{ "forward", DOCUMENT_FORWARD }, { "off", DOCUMENT_OFF }, { "serve", DOCUMENT_SERVE }, { NULL, 0 } };
static const struct conf_word ocsp_modes[] = {
	{ "file", OCSP_FILE }, { "fetch", OCSP_FETCH }, { "off", OCSP_OFF }, { NULL, 0 } };
static const struct conf_word demands[] = { { "required", false }, { "optional", true }, { NULL, 0 } };
static const struct conf_word doors[] = { { "authenticated", false }, { "open", true }, { NULL, 0 } };
static const struct conf_word off_required[] = { { "off", false }, { "required", true }, { NULL, 0 } };
static const struct conf_word admin_doors[] = { { "refuse", false }, { "forward", true }, { NULL, 0 } };
static const struct conf_word balances[] = {
	{ "none", BALANCE_NONE }, { "user", BALANCE_USER }, { "room", BALANCE_ROOM }, { NULL, 0 } };
static const struct conf_word check_modes[] = {
	{ "auto", CHECK_AUTO }, { "on", CHECK_ON }, { "off", CHECK_OFF }, { NULL, 0 } };
static const struct conf_word methods[] = {
	{ "GET", 1 << H1_GET }, { "HEAD", 1 << H1_HEAD }, { "POST", 1 << H1_POST }, { "PUT", 1 << H1_PUT },
	{ "DELETE", 1 << H1_DELETE }, { "OPTIONS", 1 << H1_OPTIONS }, { "PATCH", 1 << H1_PATCH }, { NULL, 0 } };

static const struct conf_option listener_rows[] = {
	{ "address", CONF_ADDRESS, LISTENER(address), NULL, 1, 0, CONF_RELOAD,
	  "address to accept connections at; port 0 takes any free one" },
	{ "serves", CONF_FLAGS, LISTENER(kind), "clients, federation", 1, 3, CONF_RELOAD,
	  "which of the APIs answer here; paths of the other one are 404", .words = kinds },
	{ "service", CONF_STRING, LISTENER(service), "", 0, 255, CONF_RELOAD,
	  "outbound: server name of the only service whose homeserver goes out here" },
	{ "socket_mode", CONF_STRING, LISTENER(socket_mode), "", 0, 4, CONF_RELOAD,
	  "outbound: mode of the unix socket, in octal; empty: 666" },
	{ "proxy_protocol", CONF_ENUM, LISTENER(proxied), "off", 0, 0, CONF_RELOAD,
	  "whether connections begin with a PROXY header that names the client", .words = off_required },
	{ "proxy_protocol_from", CONF_STRINGS, LISTENER(proxies_from), "", 0, 1000, CONF_RELOAD,
	  "networks of the load balancers whose PROXY headers are believed" },
	CONF_END
};

static const struct conf_option invite_rows[] = {
	{ "passport", CONF_ENUM, SERVICE(invite_rule), "enforce", 0, 0, CONF_RELOAD,
	  "whether an invite without valid PASSporT is refused, only logged, or not looked at", .words = modes },
	{ "iat", CONF_ENUM, SERVICE(passport_iat_optional), "required", 0, 0, CONF_RELOAD,
	  "whether a PASSporT needs a time of issue", .words = demands },
	{ "max_age", CONF_DURATION, SERVICE(passport_max_age), "24h", 0, 365 * DAY, CONF_RELOAD,
	  "age past which a PASSporT is refused; 0: never" },
	{ "max_future", CONF_DURATION, SERVICE(passport_max_future), "60s", 0, 1 * HOUR, CONF_RELOAD,
	  "how far in the future a time of issue may lie" },
	CONF_END
};

static const struct conf_option display_rows[] = {
	{ "rule", CONF_ENUM, SERVICE(displayname_rule), "enforce", 0, 0, CONF_RELOAD,
	  "whether users changing their own display name are refused, only logged, or not looked at", .words = modes },
	{ "org_admins", CONF_STRINGS, SERVICE(org_admins), "", 0, 1000, CONF_RELOAD,
	  "MXIDs of the users who may change display names" },
	{ "homeserver_admins", CONF_BOOL, SERVICE(org_admin_by_homeserver), "true", 0, 0, CONF_RELOAD,
	  "whether administrators of the homeserver may change display names" },
	CONF_END
};

static const struct conf_option path_rows[] = {
	{ "destination", CONF_ENUM, SERVICE(destination_optional), "optional", 0, 0, CONF_RELOAD,
	  "whether X-Matrix needs a destination; one that is given must fit", .words = demands },
	{ "version", CONF_ENUM, SERVICE(version_open), "open", 0, 0, CONF_RELOAD,
	  "whether /_matrix/federation/v1/version needs authentication", .words = doors },
	{ "openid_userinfo", CONF_ENUM, SERVICE(openid_open), "open", 0, 0, CONF_RELOAD,
	  "whether /_matrix/federation/v1/openid/userinfo needs authentication", .words = doors },
	CONF_END
};

static const struct conf_option contact_rows[] = {
	{ "role", CONF_STRING, CONTACT(role), "m.role.admin", 1, 255, CONF_RELOAD,
	  "what the contact is for: m.role.admin, m.role.security or a role of its own" },
	{ "matrix_id", CONF_STRING, CONTACT(matrix_id), "", 0, 255, CONF_RELOAD, "MXID of the contact" },
	{ "email", CONF_STRING, CONTACT(email), "", 0, 254, CONF_RELOAD, "e-mail address of the contact" },
	CONF_END
};

static const struct conf_option well_known_rows[] = {
	{ "server", CONF_STRING, SERVICE(well_known.server), "forward", 1, 255, CONF_RELOAD,
	  "server document: forward, off, or the name and port federation is to connect to" },
	{ "client", CONF_STRING, SERVICE(well_known.client), "forward", 1, 2048, CONF_RELOAD,
	  "client document: forward, off, or the https URL clients are to use" },
	{ "identity_server", CONF_STRING, SERVICE(well_known.identity_server), "", 0, 2048, CONF_RELOAD,
	  "https URL of the identity server in the client document" },
	{ "client_file", CONF_PATH, SERVICE(well_known.client_file), "", 0, 4096, CONF_RELOAD,
	  "JSON file of further members of the client document" },
	{ "support", CONF_ENUM, SERVICE(well_known.support), "forward", 0, 0, CONF_RELOAD,
	  "support document: the homeserver's, none, or one of the settings below", .words = document_modes },
	{ "support_file", CONF_PATH, SERVICE(well_known.support_file), "", 0, 4096, CONF_RELOAD,
	  "JSON file that is the support document" },
	{ "support_page", CONF_STRING, SERVICE(well_known.support_page), "", 0, 2048, CONF_RELOAD,
	  "https URL of a page for users who need help" },
	{ "contacts", CONF_SEQUENCE, SERVICE(well_known.contacts), "", 0, 20, CONF_RELOAD,
	  "contacts in the support document", .rows = contact_rows,
	  .item_size = sizeof(struct contact_conf), .count = SERVICE(well_known.n_contacts) },
	{ "max_age", CONF_DURATION, SERVICE(well_known.max_age), "1h", 0, 2 * DAY, CONF_RELOAD,
	  "how long others may remember the documents served from here" },
	CONF_END
};

static const struct conf_option check_rows[] = {
	{ "check", CONF_ENUM, UPSTREAM(check), "auto", 0, 0, CONF_RELOAD,
	  "whether addresses are asked how they are; auto: if there are several", .words = check_modes },
	{ "path", CONF_STRING, UPSTREAM(check_path), "/health", 1, 1024, CONF_RELOAD,
	  "what is asked for; an answer 2xx is good" },
	{ "interval", CONF_DURATION, UPSTREAM(check_interval), "5s", 100, 1 * HOUR, CONF_RELOAD,
	  "time between two checks of an address" },
	{ "timeout", CONF_DURATION, UPSTREAM(check_timeout), "2s", 100, 1 * HOUR, CONF_RELOAD, "one check" },
	{ "fall", CONF_COUNT, UPSTREAM(check_fall), "3", 1, 100, CONF_RELOAD,
	  "bad checks in a row after which an address is down" },
	{ "rise", CONF_COUNT, UPSTREAM(check_rise), "2", 1, 100, CONF_RELOAD,
	  "good checks in a row after which it is up again" },
	{ "retry", CONF_DURATION, UPSTREAM(down_min), "1s", 0, 1 * HOUR, CONF_RELOAD,
	  "how long an address is avoided that could not be connected to; doubles with each further failure" },
	{ "retry_max", CONF_DURATION, UPSTREAM(down_max), "30s", 0, 1 * HOUR, CONF_RELOAD,
	  "how long it is avoided at most" },
	CONF_END
};

static const struct conf_option upstream_rows[] = {
	{ "name", CONF_STRING, UPSTREAM(name), NULL, 1, 64, CONF_RELOAD,
	  "name by which paths refer to it; also in metrics and log" },
	{ "addresses", CONF_STRINGS, UPSTREAM(addresses), NULL, 1, UPSTREAM_ADDRESSES_MAX, CONF_RELOAD,
	  "where it listens: loopback IP addresses with port, or unix sockets" },
	{ "balance", CONF_ENUM, UPSTREAM(balance), "none", 0, 0, CONF_RELOAD,
	  "whether requests of one user or room go to the same address; none: to the least busy one",
	  .words = balances },
	{ "health", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "which addresses are avoided", .rows = check_rows },
	CONF_END
};

static const struct conf_option routed_rows[] = {
	{ "path", CONF_STRING, ROUTED(path), NULL, 1, 1024, CONF_RELOAD,
	  "path, \"{x}\" for any segment, a last \"**\" for all below" },
	{ "methods", CONF_FLAGS, ROUTED(methods), "", 0, 7, CONF_RELOAD,
	  "methods; none: any.  GET stands for HEAD as well", .words = methods },
	{ "upstream", CONF_STRING, ROUTED(upstream), NULL, 1, 64, CONF_RELOAD,
	  "name of an upstream, or homeserver" },
	CONF_END
};

static const struct conf_option service_rows[] = {
	{ "server_name", CONF_STRING, SERVICE(server_name), NULL, 1, 255, CONF_RELOAD, "Matrix server name" },
	{ "hosts", CONF_STRINGS, SERVICE(hosts), "", 0, 100, CONF_RELOAD,
	  "public host names besides the server name's" },
	{ "certificate", CONF_PATH, SERVICE(certificate), NULL, 1, 4096, CONF_RELOAD,
	  "PEM file of the TLS certificate, its chain behind it" },
	{ "key", CONF_PATH, SERVICE(key), NULL, 1, 4096, CONF_RELOAD, "PEM file of the certificate's private key" },
	{ "ocsp", CONF_ENUM, SERVICE(ocsp), "file", 0, 0, CONF_RELOAD,
	  "where the OCSP response to staple comes from: ocsp_file, the responder, or none is stapled", .words = ocsp_modes },
	{ "ocsp_url", CONF_STRING, SERVICE(ocsp_url), "", 0, 2048, CONF_RELOAD,
	  "URL of the OCSP responder, instead of the one the certificate names" },
	{ "ocsp_file", CONF_PATH, SERVICE(ocsp_file), "", 0, 4096, CONF_RELOAD,
	  "DER file of the OCSP response to staple" },
	{ "default", CONF_BOOL, SERVICE(is_default), "false", 0, 0, CONF_RELOAD,
	  "whether clients that name no host (no SNI) get this service; a single service always is" },
	{ "homeserver", CONF_ADDRESS, SERVICE(upstream), NULL, 1, 0, CONF_RELOAD,
	  "address of the homeserver: a loopback IP address or a unix socket" },
	{ "upstreams", CONF_SEQUENCE, SERVICE(upstreams), "", 0, 64, CONF_RELOAD,
	  "further processes of the homeserver, such as workers of Synapse", .rows = upstream_rows,
	  .item_size = sizeof(struct upstream_conf), .count = SERVICE(n_upstreams) },
	{ "paths", CONF_SEQUENCE, SERVICE(paths), "", 0, 1000, CONF_RELOAD,
	  "which paths go to which upstream; all others go to homeserver", .rows = routed_rows,
	  .item_size = sizeof(struct path_conf), .count = SERVICE(n_paths) },
	{ "federation", CONF_STRING, SERVICE(federation), NULL, 1, 64, CONF_RELOAD,
	  "name of the federation it belongs to" },
	{ "invites", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "invites from the federation", .rows = invite_rows },
	{ "display_names", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "display names", .rows = display_rows },
	{ "federation_paths", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "federation API", .rows = path_rows },
	{ "outbound", CONF_SECTION, SERVICE(way_out), NULL, 0, 0, CONF_RELOAD, "way out of the homeserver",
	  .rows = proxy_way_out_rows },
	{ "well_known", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD,
	  "documents under /.well-known/matrix", .rows = well_known_rows },
	{ "admin_paths", CONF_ENUM, SERVICE(admin_paths), "refuse", 0, 0, CONF_RELOAD,
	  "what happens to /_synapse/admin", .words = admin_doors },
	CONF_END
};

static const struct conf_option tls_rows[] = {
	{ "tls13", CONF_BOOL, PROXY(tls13), "true", 0, 0, CONF_RELOAD, "whether TLS 1.3 is offered besides 1.2" },
	{ "http2", CONF_BOOL, PROXY(http2), "true", 0, 0, CONF_RELOAD, "whether HTTP/2 is offered besides HTTP/1.1" },
	{ "ticket_lifetime", CONF_DURATION, PROXY(ticket_lifetime), "12h", 1 * SECOND, 7 * DAY, CONF_RELOAD,
	  "how long a session can be resumed; keys rotate twice as often" },
	{ "ticket_file", CONF_PATH, PROXY(ticket_file), "", 0, 4096, CONF_RELOAD,
	  "file of the keys of session tickets, in common with other proxies" },
	{ "ticket_redis", CONF_BOOL, PROXY(ticket_redis), "false", 0, 0, CONF_RELOAD,
	  "whether keys of session tickets are shared with other proxies through redis" },
	{ "ticket_secret_file", CONF_PATH, PROXY(ticket_secret_file), "", 0, 4096, CONF_RELOAD,
	  "file of the secret with which they are encrypted there" },
	{ "hsts", CONF_DURATION, PROXY(hsts), "365d", 0, 730 * DAY, CONF_RELOAD,
	  "how long browsers are told to use nothing but TLS; 0: they are not told" },
	CONF_END
};

#define RATE(name, limit, preset, help) \
	static const struct conf_option name##_rate_rows[] = { \
		{ "per_minute", CONF_COUNT, PROXY(rates[limit].per_minute), "0", 0, 1000000, CONF_RELOAD, \
		  help " a minute; 0: any number" }, \
		{ "burst", CONF_COUNT, PROXY(rates[limit].burst), preset, 1, 1000000, CONF_RELOAD, \
		  "so many at once" }, \
		CONF_END }
RATE(login, RATE_LOGIN, "10", "logins from one address");
RATE(register, RATE_REGISTER, "5", "registrations from one address");
RATE(password, RATE_PASSWORD, "5", "password changes and e-mails for them, from one address");
RATE(client, RATE_CLIENT, "600", "requests with one access token");
RATE(federation, RATE_FEDERATION, "600", "verified requests of one server");
RATE(address, RATE_FEDERATION_ADDRESS, "600", "federation requests from one address");

#define RATE_SECTION(name, help) \
	{ #name, CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, help, .rows = name##_rate_rows }
static const struct conf_option rate_rows[] = {
	RATE_SECTION(login, "POST to login"),
	RATE_SECTION(register, "POST to register and what belongs to it, asking for a free name included"),
	RATE_SECTION(password, "POST to account/password and to the requests for tokens by e-mail or SMS"),
	RATE_SECTION(client, "every client request that carries an access token"),
	RATE_SECTION(federation, "federation requests, by the origin whose signature was verified"),
	{ "federation_address", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD,
	  "federation requests and requests for keys, by address, before anything is verified",
	  .rows = address_rate_rows },
	{ "names_max", CONF_COUNT, PROXY(rate_names_max), "65536", 1024, 16777216, CONF_RESTART,
	  "clients and servers whose rate is remembered" },
	CONF_END
};

#define LIMIT(name, type, preset, min, max, help) \
	{ #name, type, PROXY(name), preset, min, max, CONF_RELOAD, help }
static const struct conf_option limit_rows[] = {
	LIMIT(head_max, CONF_SIZE, "16k", 1 * KIB, 64 * KIB, "head of a request"),
	LIMIT(target_max, CONF_SIZE, "8k", 256, 32 * KIB, "target (path and query) of a request"),
	LIMIT(fields_max, CONF_COUNT, "100", 10, 256, "header fields of a request"),
	LIMIT(client_body_max, CONF_SIZE, "100M", 1 * KIB, 64 * GIB, "body of a client's request that is streamed"),
	LIMIT(federation_body_max, CONF_SIZE, "13107200", 1 * KIB, 256 * MIB, "body of a federation request, held in memory"),
	LIMIT(inspect_body_max, CONF_SIZE, "1M", 1 * KIB, 64 * MIB, "body of a client's request that is inspected"),
	LIMIT(relay_buffer, CONF_SIZE, "256k", 16 * KIB, 16 * MIB, "bytes held per direction while the other side is slow"),
	LIMIT(request_memory, CONF_SIZE, "64M", 64 * KIB, 1 * GIB, "memory for judging one request"),
	LIMIT(connections_max, CONF_COUNT, "20000", 1, 1000000, "connections of clients, all workers together"),
	LIMIT(connections_per_address, CONF_COUNT, "200", 0, 1000000, "connections from one address; 0: any number"),
	{ "exempt", CONF_STRINGS, PROXY(exempt_from), "", 0, 1000, CONF_RELOAD,
	  "networks to which no limit by address applies" },
	LIMIT(body_rate_min, CONF_SIZE, "500", 0, 1 * GIB, "bytes a second a client must send of a body; 0: any"),
	LIMIT(write_rate_min, CONF_SIZE, "500", 0, 1 * GIB, "bytes a second a client must read of an answer; 0: any"),
	{ "rates", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "how often something may be asked for",
	  .rows = rate_rows },
	LIMIT(h2_streams_max, CONF_COUNT, "100", 1, 10000, "requests at the same time on one HTTP/2 connection"),
	LIMIT(h2_stream_window, CONF_SIZE, "64k", 16 * KIB, 16 * MIB, "request bytes held of one HTTP/2 stream"),
	LIMIT(h2_connection_window, CONF_SIZE, "1M", 64 * KIB, 256 * MIB, "request bytes held of one HTTP/2 connection"),
	LIMIT(h2_resets_max, CONF_COUNT, "200", 1, 1000000,
	    "requests one HTTP/2 connection may cancel in half a minute"),
	LIMIT(h2_frames_max, CONF_COUNT, "1000", 10, 1000000,
	    "control frames one HTTP/2 connection may send in half a minute"),
	LIMIT(upstream_connections_max, CONF_COUNT, "512", 1, 65535, "connections per worker to one address of a homeserver"),
	LIMIT(upstream_idle_max, CONF_COUNT, "512", 0, 65535, "idle connections kept per worker to one address of a homeserver"),
	LIMIT(upstream_queue_max, CONF_COUNT, "1024", 0, 1000000,
	    "requests per worker waiting for a connection to one address of a homeserver"),
	CONF_END
};

#define TIMEOUT(name, member, preset, min, max, help) \
	{ name, CONF_DURATION, PROXY(member), preset, min, max, CONF_RELOAD, help }
static const struct conf_option timeout_rows[] = {
	TIMEOUT("handshake", handshake_timeout, "10s", 100, 1 * HOUR, "TLS handshake"),
	TIMEOUT("head", head_timeout, "10s", 100, 1 * HOUR, "head of a request"),
	TIMEOUT("body", body_timeout, "30s", 100, 1 * HOUR, "body of a request, without progress"),
	TIMEOUT("idle", idle_timeout, "75s", 100, 1 * HOUR, "connection between two requests"),
	TIMEOUT("write", write_timeout, "30s", 100, 1 * HOUR, "answer to a client, without progress"),
	TIMEOUT("rate_window", rate_window, "60s", 1 * SECOND, 1 * HOUR, "time over which minimum rates are measured"),
	TIMEOUT("upstream_connect", upstream_connect_timeout, "5s", 100, 1 * HOUR, "connecting to the homeserver"),
	TIMEOUT("upstream", upstream_timeout, "120s", 100, 24 * HOUR, "first byte of the homeserver's answer"),
	TIMEOUT("upstream_slow", upstream_slow_timeout, "10m", 100, 24 * HOUR,
	    "the same for room state, joins, first syncs"),
	TIMEOUT("upstream_media", upstream_media_timeout, "10m", 100, 24 * HOUR, "the same for media"),
	TIMEOUT("poll_margin", poll_margin, "60s", 100, 1 * HOUR,
	    "the same for long polls (sync), besides the time the client asks for"),
	TIMEOUT("poll_max", poll_max, "30m", 100, 24 * HOUR, "the same for long polls, whatever the client asks for"),
	TIMEOUT("upstream_body", upstream_body_timeout, "120s", 100, 24 * HOUR,
	    "the homeserver's answer, without progress"),
	TIMEOUT("upstream_total", upstream_total_timeout, "0", 0, 7 * DAY,
	    "a request from when it may pass to the end of its answer; 0: no limit"),
	TIMEOUT("upstream_idle", upstream_idle_timeout, "60s", 100, 1 * HOUR, "unused connection to the homeserver"),
	TIMEOUT("upstream_queue", upstream_queue_timeout, "10s", 100, 1 * HOUR,
	    "waiting for a connection to the homeserver"),
	TIMEOUT("drain", drain_timeout, "40s", 0, 24 * HOUR, "open exchanges when shutting down"),
	TIMEOUT("drain_idle", drain_idle_timeout, "3s", 0, 24 * HOUR,
	    "unused connections from clients when shutting down"),
	TIMEOUT("handover", handover_timeout, "60s", 1 * SECOND, 1 * HOUR,
	    "start of a successor until it is ready"),
	TIMEOUT("fact", fact_timeout, "20s", 100, 1 * HOUR, "a request waiting for a look-up"),
	CONF_END
};

static const struct conf_option lookup_rows[] = {
	LOOKUP_ROWS(struct proxy_conf, lookups),
	{ "notaries", CONF_STRINGS, PROXY(notaries), "", 0, 16, CONF_RELOAD,
	  "server names asked for signing keys when their owner cannot be reached" },
	{ "keys_max_entries", CONF_COUNT, PROXY(keys_max_entries), "20000", 1, 10000000, CONF_RELOAD,
	  "servers whose signing keys are remembered" },
	{ "keys_ttl_max", CONF_DURATION, PROXY(keys_ttl_max), "24h", 1 * SECOND, 7 * DAY, CONF_RELOAD,
	  "how long signing keys are remembered at most" },
	{ "accounts_max_entries", CONF_COUNT, PROXY(accounts_max_entries), "50000", 1, 10000000, CONF_RELOAD,
	  "access tokens whose user is remembered" },
	{ "account_ttl", CONF_DURATION, PROXY(account_ttl), "60s", 0, 1 * HOUR, CONF_RELOAD,
	  "how long the user behind an access token is remembered" },
	{ "discovery_max_entries", CONF_COUNT, PROXY(discovery_max_entries), "20000", 1, 10000000, CONF_RELOAD,
	  "servers whose location is remembered" },
	{ "misses_max_entries", CONF_COUNT, PROXY(misses_max_entries), "10000", 1, 1000000, CONF_RELOAD,
	  "unknown names about which the registration service was asked that are remembered" },
	{ "negative_ttl", CONF_DURATION, PROXY(negative_ttl), "30s", 0, 1 * HOUR, CONF_RELOAD,
	  "how long a first failure is remembered; doubles with each further one" },
	{ "negative_ttl_max", CONF_DURATION, PROXY(negative_ttl_max), "1h", 0, 7 * DAY, CONF_RELOAD,
	  "how long a failure is remembered at most" },
	CONF_END
};

static const struct conf_option invites_rows[] = {
	{ "max_entries", CONF_COUNT, PROXY(invites_max), "200000", 1, 10000000, CONF_RELOAD,
	  "accepted invites remembered" },
	{ "ttl", CONF_DURATION, PROXY(invites_ttl), "30d", 1 * SECOND, 365 * DAY, CONF_RELOAD,
	  "how long an accepted invite is remembered" },
	CONF_END
};

const struct conf_option proxy_conf_rows[] = {
	{ "listeners", CONF_SEQUENCE, PROXY(listeners), NULL, 1, 64, CONF_RELOAD, "where connections are accepted",
	  .rows = listener_rows, .item_size = sizeof(struct listener_conf), .count = PROXY(n_listeners) },
	{ "admin", CONF_ADDRESS, PROXY(admin), "", 0, 0, CONF_RELOAD,
	  "loopback address or unix socket of health, readiness and metrics; empty: admin.sock in state_dir" },
	{ "workers", CONF_COUNT, PROXY(workers), "0", 0, 256, CONF_RESTART, "worker threads; 0: one per core" },
	{ "state_dir", CONF_PATH, PROXY(state_dir), NULL, 1, 4096, CONF_RESTART, "folder for what must outlive a restart" },
	{ "addresses_file", CONF_PATH, PROXY(addresses_file), "", 0, 4096, CONF_RELOAD,
	  "file to which the bound addresses are written" },
	{ "test_mode", CONF_BOOL, PROXY(test_mode), "false", 0, 0, CONF_RELOAD,
	  "accept self-signed certificates and key files that others can read; never in production" },
	{ "log_level", CONF_ENUM, PROXY(log_level), "info", 0, 0, CONF_RELOAD, "least severe log lines written",
	  .words = levels },
	{ "federations", CONF_SEQUENCE, PROXY(federations), NULL, 1, 64, CONF_RELOAD, "federations services belong to",
	  .rows = proxy_federation_rows, .item_size = sizeof(struct federation_conf), .count = PROXY(n_federations) },
	{ "services", CONF_SEQUENCE, PROXY(services), NULL, 1, 1000, CONF_RELOAD, "messenger services",
	  .rows = service_rows, .item_size = sizeof(struct service_conf), .count = PROXY(n_services) },
	{ "outbound", CONF_SECTION, PROXY(forward), NULL, 0, 0, CONF_RELOAD, "way out of all homeservers",
	  .rows = proxy_forward_rows },
	{ "tls", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "TLS towards clients and servers", .rows = tls_rows },
	{ "redis", CONF_SECTION, PROXY(redis), NULL, 0, 0, CONF_RELOAD, "what several proxies have in common",
	  .rows = redis_section_rows },
	{ "limits", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "limits in bytes and numbers", .rows = limit_rows },
	{ "timeouts", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "limits in time", .rows = timeout_rows },
	{ "lookups", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "questions to DNS and other servers",
	  .rows = lookup_rows },
	{ "invites", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "memory of accepted invites", .rows = invites_rows },
	CONF_END
};
/* clang-format on */
