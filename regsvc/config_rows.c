/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_rows - the settings of schleuse-regsvc, in the order of the sample file.
 *
 * A row here, its entry in man/schleuse-regsvc.yaml.5 and its line in etc/regsvc.yaml belong
 * together; a test compares the three.  A section with a struct of its own has its rows relative to
 * that struct, perhaps in the file of whoever uses it.
 */
#include "regsvc/config.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define SECOND UINT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

#define LISTENER(m) CONF_FIELD(struct listener_conf, m)
#define TLS(m) CONF_FIELD(struct regsvc_tls_conf, m)
#define LIMIT(m) CONF_FIELD(struct regsvc_limits, m)
#define STORE(m) CONF_FIELD(struct regsvc_store_conf, m)
#define TIMEOUT(m) CONF_FIELD(struct regsvc_timeouts, m)
#define REGSVC(m) CONF_FIELD(struct regsvc_conf, m)

/* clang-format off */
static const struct conf_word levels[] = {
	{ "error", LOG_ERROR }, { "warn", LOG_WARN }, { "info", LOG_INFO }, { "debug", LOG_DEBUG }, { NULL, 0 } };

static const struct conf_option listener_rows[] = {
	{ "address", CONF_ADDRESS, LISTENER(address), NULL, 1, 0, CONF_RESTART,
	  "address to accept connections at; port 0 takes any free one" },
	CONF_END
};

static const struct conf_option tls_rows[] = {
	{ "certificate", CONF_PATH, TLS(certificate), NULL, 1, 4096, CONF_RELOAD,
	  "PEM file of the server's certificate with its chain" },
	{ "key", CONF_PATH, TLS(key), NULL, 1, 4096, CONF_RELOAD, "PEM file of its private key" },
	{ "hosts", CONF_STRINGS, TLS(hosts), NULL, 1, 100, CONF_RELOAD,
	  "host names that clients know the service by" },
	{ "client_ca", CONF_PATHS, TLS(client_ca), "", 0, 16, CONF_RELOAD,
	  "PEM files of the CAs of clients that log in by certificate" },
	{ "tls13", CONF_BOOL, TLS(tls13), "true", 0, 0, CONF_RELOAD, "whether TLS 1.3 is offered besides 1.2" },
	{ "http2", CONF_BOOL, TLS(http2), "true", 0, 0, CONF_RELOAD, "whether HTTP/2 is offered besides HTTP/1.1" },
	{ "ticket_lifetime", CONF_DURATION, TLS(ticket_lifetime), "1h", 60 * SECOND, 1 * DAY, CONF_RESTART,
	  "how long a session may be resumed; its keys rotate as often" },
	CONF_END
};

static const struct conf_option limit_rows[] = {
	{ "head_max", CONF_SIZE, LIMIT(head_max), "16k", 1 * KIB, 64 * KIB, CONF_RELOAD, "request head" },
	{ "target_max", CONF_SIZE, LIMIT(target_max), "8k", 256, 32 * KIB, CONF_RELOAD, "request target" },
	{ "fields_max", CONF_COUNT, LIMIT(fields_max), "100", 10, 1000, CONF_RELOAD, "header fields of a request" },
	{ "body_max", CONF_SIZE, LIMIT(body_max), "64k", 1 * KIB, 16 * MIB, CONF_RELOAD, "request body" },
	{ "request_memory", CONF_SIZE, LIMIT(request_memory), "1M", 64 * KIB, 64 * MIB, CONF_RELOAD,
	  "memory for one request besides its answer" },
	{ "connections_max", CONF_COUNT, LIMIT(connections_max), "4096", 8, 1000000, CONF_RELOAD, "connections in all" },
	{ "connections_per_address", CONF_COUNT, LIMIT(connections_per_address), "64", 0, 100000, CONF_RELOAD,
	  "connections from one address (IPv6: one /64); 0: any number" },
	{ "changes_waiters", CONF_COUNT, LIMIT(changes_waiters), "2048", 1, 1000000, CONF_RELOAD,
	  "requests that wait for changes" },
	{ "changes_per_client", CONF_COUNT, LIMIT(changes_per_client), "1", 0, 1000, CONF_RELOAD,
	  "of them those of one client; 0: any number" },
	CONF_END
};

static const struct conf_option timeout_rows[] = {
	{ "handshake", CONF_DURATION, TIMEOUT(handshake), "10s", 100, 1 * HOUR, CONF_RELOAD, "TLS handshake" },
	{ "head", CONF_DURATION, TIMEOUT(head), "10s", 100, 1 * HOUR, CONF_RELOAD, "request head" },
	{ "body", CONF_DURATION, TIMEOUT(body), "10s", 100, 1 * HOUR, CONF_RELOAD, "request body, without progress" },
	{ "idle", CONF_DURATION, TIMEOUT(idle), "75s", 100, 1 * DAY, CONF_RELOAD, "connection without request" },
	{ "write", CONF_DURATION, TIMEOUT(write), "30s", 100, 1 * HOUR, CONF_RELOAD, "answer, without progress" },
	{ "changes", CONF_DURATION, TIMEOUT(changes), "5m", 1 * SECOND, 1 * HOUR, CONF_RELOAD,
	  "for which a request may wait for changes" },
	{ "drain", CONF_DURATION, TIMEOUT(drain), "20s", 0, 1 * HOUR, CONF_RELOAD,
	  "for open requests when shutting down" },
	CONF_END
};

static const struct conf_option lookup_rows[] = {
	LOOKUP_ROWS(struct regsvc_conf, lookups),
	CONF_END
};

static const struct conf_option store_rows[] = {
	{ "value_max", CONF_SIZE, STORE(value_max), "512M", 1 * MIB, 512 * MIB, CONF_RESTART, "largest value kept" },
	{ "keys_max", CONF_COUNT, STORE(keys_max), "100000", 100, 10000000, CONF_RESTART, "most values of one kind" },
	CONF_END
};

const struct conf_option regsvc_conf_rows[] = {
	{ "listeners", CONF_SEQUENCE, REGSVC(listeners), NULL, 1, 64, CONF_RESTART,
	  "where connections are accepted", .rows = listener_rows,
	  .item_size = sizeof(struct listener_conf), .count = REGSVC(n_listeners) },
	{ "admin", CONF_ADDRESS, REGSVC(admin), "", 0, 0, CONF_RESTART,
	  "loopback address or unix socket of /health, /ready and /metrics" },
	{ "state_dir", CONF_PATH, REGSVC(state_dir), NULL, 1, 4000, CONF_RESTART,
	  "folder of what must outlive a restart" },
	{ "addresses_file", CONF_PATH, REGSVC(addresses_file), "", 0, 4096, CONF_RESTART,
	  "file that receives the bound addresses as JSON" },
	{ "test_mode", CONF_BOOL, REGSVC(test_mode), "false", 0, 0, CONF_RELOAD,
	  "whether self-signed certificates and keys that others can read are accepted" },
	{ "log_level", CONF_ENUM, REGSVC(log_level), "info", 0, 0, CONF_RELOAD, "what is logged", .words = levels },
	{ "tls", CONF_SECTION, REGSVC(tls), NULL, 0, 0, CONF_RELOAD, "TLS towards clients", .rows = tls_rows },
	{ "limits", CONF_SECTION, REGSVC(limits), NULL, 0, 0, CONF_RELOAD, "limits in bytes and numbers",
	  .rows = limit_rows },
	{ "timeouts", CONF_SECTION, REGSVC(timeouts), NULL, 0, 0, CONF_RELOAD, "limits in time", .rows = timeout_rows },
	{ "redis", CONF_SECTION, REGSVC(redis), NULL, 0, 0, CONF_RELOAD, "what several instances have in common",
	  .rows = redis_section_rows },
	{ "store", CONF_SECTION, REGSVC(store), NULL, 0, 0, CONF_RELOAD, "what is kept, in Redis or in state_dir",
	  .rows = store_rows },
	{ "lookups", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "questions to DNS and other servers",
	  .rows = lookup_rows },
	{ "vzd", CONF_SECTION, REGSVC(vzd), NULL, 0, 0, CONF_RELOAD, "the VZD-FHIR-Directory",
	  .rows = vzd_rows },
	{ "list", CONF_SECTION, REGSVC(list), NULL, 0, 0, CONF_RELOAD, "the federation list", .rows = list_rows },
	{ "passport", CONF_SECTION, REGSVC(passport), NULL, 0, 0, CONF_RELOAD,
	  "PASSporT certificates: whose are served", .rows = passport_rows },
	{ "clients", CONF_SECTION, REGSVC(clients), NULL, 0, 0, CONF_RELOAD, "clients and their secrets",
	  .rows = clients_rows },
	{ "token", CONF_SECTION, REGSVC(token), NULL, 0, 0, CONF_RELOAD, "access tokens", .rows = token_rows },
	{ "guard", CONF_SECTION, REGSVC(guard), NULL, 0, 0, CONF_RELOAD, "what slows down who guesses",
	  .rows = guard_rows },
	{ "access_log", CONF_SECTION, REGSVC(access_log), NULL, 0, 0, CONF_RELOAD, "the access log",
	  .rows = access_log_rows },
	CONF_END
};
/* clang-format on */
