/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_rows - the settings of schleuse-proxy, in the order of the sample file.
 *
 * A row here, its entry in man/schleuse-proxy.yaml.5 and its line in etc/proxy.yaml belong
 * together; a test compares the three.
 */
#include "proxy/config.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND UINT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

#define LISTENER(m) CONF_FIELD(struct listener_conf, m)
#define CERTIFICATE(m) CONF_FIELD(struct passport_cert_conf, m)
#define FEDERATION(m) CONF_FIELD(struct federation_conf, m)
#define SERVICE(m) CONF_FIELD(struct service_conf, m)
#define HOST(m) CONF_FIELD(struct host_conf, m)
#define PROXY(m) CONF_FIELD(struct proxy_conf, m)

/* clang-format off */
static const struct conf_word kinds[] = {
	{ "clients", LISTEN_CLIENTS }, { "federation", LISTEN_FEDERATION }, { NULL, 0 } };
static const struct conf_word levels[] = {
	{ "error", LOG_ERROR }, { "warn", LOG_WARN }, { "info", LOG_INFO }, { "debug", LOG_DEBUG }, { NULL, 0 } };
static const struct conf_word modes[] = {
	{ "enforce", RULE_ENFORCE }, { "log", RULE_LOG }, { "off", RULE_OFF }, { NULL, 0 } };
static const struct conf_word ports[] = { { "exact", false }, { "any", true }, { NULL, 0 } };
static const struct conf_word demands[] = { { "required", false }, { "optional", true }, { NULL, 0 } };
static const struct conf_word doors[] = { { "authenticated", false }, { "open", true }, { NULL, 0 } };
static const struct conf_word admin_doors[] = { { "refuse", false }, { "forward", true }, { NULL, 0 } };

static const struct conf_option listener_rows[] = {
	{ "address", CONF_ADDRESS, LISTENER(address), NULL, 1, 0, CONF_RELOAD,
	  "address to accept connections at; port 0 takes any free one" },
	{ "serves", CONF_FLAGS, LISTENER(kind), "clients, federation", 1, 2, CONF_RELOAD,
	  "which of the APIs answer here; paths of the other one are 404", .words = kinds },
	CONF_END
};

static const struct conf_option list_rows[] = {
	{ "file", CONF_PATH, FEDERATION(list_file), "", 0, 4096, CONF_RELOAD, "federation list as compact JWS" },
	{ "url", CONF_STRING, FEDERATION(list_url), "", 0, 2048, CONF_RELOAD, "https URL of the federation list" },
	{ "ca_file", CONF_PATH, FEDERATION(list_ca_file), "", 0, 4096, CONF_RELOAD,
	  "PEM file of CAs for the url besides the system's" },
	{ "interval", CONF_DURATION, FEDERATION(list_interval), "1h", 100, 7 * DAY, CONF_RELOAD,
	  "time between two looks at the file or url" },
	{ "ttl", CONF_DURATION, FEDERATION(list_ttl), "72h", 1 * SECOND, 30 * DAY, CONF_RELOAD,
	  "age past which the federation is closed" },
	{ "max_bytes", CONF_SIZE, FEDERATION(list_max_bytes), "512M", 1 * KIB, 4 * GIB, CONF_RELOAD,
	  "largest list accepted" },
	{ "max_entries", CONF_COUNT, FEDERATION(list_max_entries), "1000000", 1, 100000000, CONF_RELOAD,
	  "most entries of a list accepted" },
	{ "anchors", CONF_PATHS, FEDERATION(list_anchors), NULL, 1, 64, CONF_RELOAD,
	  "PEM files of the trust anchors of the list's signature" },
	{ "signer_role", CONF_STRING, FEDERATION(list_signer_role), "", 0, 255, CONF_RELOAD,
	  "OID which the admission extension of the signer's certificate must contain" },
	{ "signer_cn", CONF_STRING, FEDERATION(list_signer_cn), "", 0, 255, CONF_RELOAD,
	  "common name which the signer's certificate must have" },
	{ "ports", CONF_ENUM, FEDERATION(ports_any), "exact", 0, 0, CONF_RELOAD,
	  "whether a server name with a port must be listed with it or by its host", .words = ports },
	CONF_END
};

static const struct conf_option certificate_rows[] = {
	{ "file", CONF_PATH, CERTIFICATE(file), NULL, 1, 4096, CONF_RELOAD,
	  "PEM file of the signer's certificate, intermediates behind it" },
	{ "x5u", CONF_STRING, CERTIFICATE(x5u), "", 0, 2048, CONF_RELOAD,
	  "URL by which PASSporTs name the certificate; never fetched" },
	CONF_END
};

static const struct conf_option passport_rows[] = {
	{ "anchors", CONF_PATHS, FEDERATION(passport_anchors), "", 0, 64, CONF_RELOAD,
	  "PEM files of the trust anchors of PASSporT certificates" },
	{ "certificates", CONF_SEQUENCE, FEDERATION(passport_certs), "", 0, 10000, CONF_RELOAD,
	  "certificates whose PASSporTs count", .rows = certificate_rows,
	  .item_size = sizeof(struct passport_cert_conf), .count = FEDERATION(n_passport_certs) },
	CONF_END
};

static const struct conf_option federation_rows[] = {
	{ "name", CONF_STRING, FEDERATION(name), NULL, 1, 64, CONF_RELOAD,
	  "name by which services refer to it; also names its files in state_dir" },
	{ "list", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "federation list", .rows = list_rows },
	{ "passport", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "whose PASSporTs count", .rows = passport_rows },
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

static const struct conf_option service_rows[] = {
	{ "server_name", CONF_STRING, SERVICE(server_name), NULL, 1, 255, CONF_RELOAD, "Matrix server name" },
	{ "hosts", CONF_STRINGS, SERVICE(hosts), "", 0, 100, CONF_RELOAD,
	  "public host names besides the server name's" },
	{ "certificate", CONF_PATH, SERVICE(certificate), NULL, 1, 4096, CONF_RELOAD,
	  "PEM file of the TLS certificate, its chain behind it" },
	{ "key", CONF_PATH, SERVICE(key), NULL, 1, 4096, CONF_RELOAD, "PEM file of the certificate's private key" },
	{ "ocsp_file", CONF_PATH, SERVICE(ocsp_file), "", 0, 4096, CONF_RELOAD,
	  "DER file of the OCSP response to staple" },
	{ "default", CONF_BOOL, SERVICE(is_default), "false", 0, 0, CONF_RELOAD,
	  "whether clients that name no host (no SNI) get this service; a single service always is" },
	{ "homeserver", CONF_ADDRESS, SERVICE(upstream), NULL, 1, 0, CONF_RELOAD,
	  "address of the homeserver: a loopback IP address or a unix socket" },
	{ "federation", CONF_STRING, SERVICE(federation), NULL, 1, 64, CONF_RELOAD,
	  "name of the federation it belongs to" },
	{ "invites", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "invites from the federation", .rows = invite_rows },
	{ "display_names", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "display names", .rows = display_rows },
	{ "federation_paths", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "federation API", .rows = path_rows },
	{ "admin_paths", CONF_ENUM, SERVICE(admin_paths), "refuse", 0, 0, CONF_RELOAD,
	  "what happens to /_synapse/admin", .words = admin_doors },
	CONF_END
};

static const struct conf_option tls_rows[] = {
	{ "tls13", CONF_BOOL, PROXY(tls13), "true", 0, 0, CONF_RELOAD, "whether TLS 1.3 is offered besides 1.2" },
	{ "ticket_lifetime", CONF_DURATION, PROXY(ticket_lifetime), "12h", 1 * SECOND, 7 * DAY, CONF_RELOAD,
	  "how long a session can be resumed; keys rotate twice as often" },
	CONF_END
};

#define LIMIT(name, type, preset, min, max, help) \
	{ #name, type, PROXY(name), preset, min, max, CONF_RELOAD, help }
static const struct conf_option limit_rows[] = {
	LIMIT(head_max, CONF_SIZE, "16k", 1 * KIB, 64 * KIB, "head of a request"),
	LIMIT(target_max, CONF_SIZE, "8k", 256, 32 * KIB, "target (path and query) of a request"),
	LIMIT(fields_max, CONF_COUNT, "100", 10, 1000, "header fields of a request"),
	LIMIT(client_body_max, CONF_SIZE, "100M", 1 * KIB, 64 * GIB, "body of a client's request that is streamed"),
	LIMIT(federation_body_max, CONF_SIZE, "13107200", 1 * KIB, 256 * MIB, "body of a federation request, held in memory"),
	LIMIT(inspect_body_max, CONF_SIZE, "1M", 1 * KIB, 64 * MIB, "body of a client's request that is inspected"),
	LIMIT(relay_buffer, CONF_SIZE, "256k", 16 * KIB, 16 * MIB, "bytes held per direction while the other side is slow"),
	LIMIT(request_memory, CONF_SIZE, "64M", 64 * KIB, 1 * GIB, "memory for judging one request"),
	LIMIT(connections_max, CONF_COUNT, "20000", 1, 1000000, "connections of clients per worker"),
	LIMIT(upstream_connections_max, CONF_COUNT, "512", 1, 65535, "connections per worker to one homeserver"),
	LIMIT(upstream_idle_max, CONF_COUNT, "128", 0, 65535, "idle connections kept per worker to one homeserver"),
	LIMIT(upstream_queue_max, CONF_COUNT, "1024", 0, 1000000, "requests per worker waiting for a connection to one homeserver"),
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
	TIMEOUT("upstream_connect", upstream_connect_timeout, "5s", 100, 1 * HOUR, "connecting to the homeserver"),
	TIMEOUT("upstream", upstream_timeout, "120s", 100, 24 * HOUR, "first byte of the homeserver's answer"),
	TIMEOUT("upstream_slow", upstream_slow_timeout, "10m", 100, 24 * HOUR,
	    "the same for long polls, room state and joins"),
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

static const struct conf_option host_rows[] = {
	{ "name", CONF_STRING, HOST(name), NULL, 1, 255, CONF_RELOAD, "host name" },
	{ "address", CONF_STRING, HOST(address), NULL, 1, 64, CONF_RELOAD, "IP address" },
	CONF_END
};

static const struct conf_option lookup_rows[] = {
	{ "nameservers", CONF_STRINGS, PROXY(nameservers), "", 0, 16, CONF_RELOAD,
	  "DNS servers as IP or IP:port; none: those of the system" },
	{ "hosts", CONF_MAP, PROXY(hosts), "", 0, 10000, CONF_RELOAD,
	  "fixed addresses of host names, before DNS", .rows = host_rows,
	  .item_size = sizeof(struct host_conf), .count = PROXY(n_hosts) },
	{ "ca_file", CONF_PATH, PROXY(ca_file), "", 0, 4096, CONF_RELOAD,
	  "PEM file of CAs for other servers' certificates" },
	{ "ca_system", CONF_BOOL, PROXY(ca_system), "true", 0, 0, CONF_RELOAD,
	  "whether the system's CAs count for other servers' certificates" },
	{ "private_addresses", CONF_BOOL, PROXY(private_addresses), "false", 0, 0, CONF_RELOAD,
	  "whether look-ups may reach addresses that are not public" },
	{ "timeout", CONF_DURATION, PROXY(fetch_timeout), "10s", 100, 10 * 60 * SECOND, CONF_RELOAD,
	  "one look-up at another server" },
	{ "max_bytes", CONF_SIZE, PROXY(fetch_max_bytes), "64k", 1 * KIB, 16 * MIB, CONF_RELOAD,
	  "answer to a look-up" },
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
	  .rows = federation_rows, .item_size = sizeof(struct federation_conf), .count = PROXY(n_federations) },
	{ "services", CONF_SEQUENCE, PROXY(services), NULL, 1, 1000, CONF_RELOAD, "messenger services",
	  .rows = service_rows, .item_size = sizeof(struct service_conf), .count = PROXY(n_services) },
	{ "tls", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "TLS towards clients and servers", .rows = tls_rows },
	{ "limits", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "limits in bytes and numbers", .rows = limit_rows },
	{ "timeouts", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "limits in time", .rows = timeout_rows },
	{ "lookups", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "questions to DNS and other servers",
	  .rows = lookup_rows },
	{ "invites", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "memory of accepted invites", .rows = invites_rows },
	CONF_END
};
/* clang-format on */
