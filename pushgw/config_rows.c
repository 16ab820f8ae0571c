/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_rows - the settings of schleuse-pushgw, in the order of the sample file; those of an entry
 * of `apps` are in config_rows_apps.c.
 *
 * A row here, its entry in man/schleuse-pushgw.yaml.5 and its line in etc/pushgw.yaml belong
 * together; a test compares the three.  A section with a struct of its own has its rows relative to
 * that struct.
 */
#include "pushgw/config_check.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define CLIENT(m) CONF_FIELD(struct client_conf, m)
#define CLIENTS(m) CONF_FIELD(struct clients_conf, m)
#define NOTIFY(m) CONF_FIELD(struct notify_conf, m)
#define QUEUE(m) CONF_FIELD(struct queue_conf, m)
#define REJECTED(m) CONF_FIELD(struct rejected_conf, m)
#define DELIVERY(m) CONF_FIELD(struct delivery_conf, m)
#define PUSHGW(m) CONF_FIELD(struct pushgw_conf, m)

/* clang-format off */
static const struct conf_word fsync_words[] = {
	{ "always", FSYNC_ALWAYS }, { "interval", FSYNC_INTERVAL }, { "never", FSYNC_NEVER }, { NULL, 0 } };

static const struct conf_option limit_rows[] = {
	SERVICE_LIMIT_ROWS(struct pushgw_conf, service, "512k", "1024"),
	CONF_END
};

static const struct conf_option timeout_rows[] = {
	SERVICE_TIMEOUT_ROWS(struct pushgw_conf, service),
	SERVICE_DRAIN_ROW(struct pushgw_conf, service),
	CONF_END
};

static const struct conf_option basic_rows[] = {
	{ "name", CONF_STRING, CLIENT(name), NULL, 1, 255, CONF_RELOAD, "name it gives" },
	{ "password_file", CONF_PATH, CLIENT(password_file), NULL, 1, 4096, CONF_RELOAD, "file of its password" },
	CONF_END
};

static const struct conf_option clients_rows[] = {
	{ "networks", CONF_STRINGS, CLIENTS(networks), "", 0, 1000, CONF_RELOAD,
	  "networks from which notifications are accepted; none: from anywhere" },
	{ "certificates", CONF_STRINGS, CLIENTS(certificates), "", 0, 1000, CONF_RELOAD,
	  "DNS names or SHA-256 fingerprints of homeservers' certificates; \"*\": any by tls.client_ca" },
	{ "basic", CONF_SEQUENCE, CLIENTS(basic), "", 0, 1000, CONF_RELOAD,
	  "homeservers that log in by name and password", .rows = basic_rows,
	  .item_size = sizeof(struct client_conf), .count = CLIENTS(n_basic) },
	{ "token_keys", CONF_PATHS, CLIENTS(token_keys), "", 0, PUSHGW_TOKEN_KEYS_MAX, CONF_RELOAD,
	  "PEM files of the public keys of access tokens of the registration service" },
	{ "token_issuer", CONF_STRING, CLIENTS(token_issuer), "", 0, 255, CONF_RELOAD, "iss these tokens must have" },
	{ "token_audience", CONF_STRING, CLIENTS(token_audience), "", 0, 255, CONF_RELOAD,
	  "aud these tokens must have; empty: the issuer" },
	CONF_END
};

static const struct conf_option guard_rows[] = {
	GUARD_ROWS,
	GUARD_PLACES_ROW("addresses"),
	CONF_END
};

static const struct conf_option notify_rows[] = {
	{ "devices_max", CONF_COUNT, NOTIFY(devices_max), "64", 1, 10000, CONF_RELOAD,
	  "devices of one notification" },
	{ "data_max", CONF_SIZE, NOTIFY(data_max), "8k", 256, 64 * KIB, CONF_RELOAD,
	  "data of one device" },
	{ "ciphertext_max", CONF_SIZE, NOTIFY(ciphertext_max), "2k", 256, 64 * KIB, CONF_RELOAD,
	  "what the homeserver encrypted for a device (MSC3013)" },
	{ "rate", CONF_COUNT, NOTIFY(rate), "0", 0, 10000000, CONF_RELOAD,
	  "devices that one address may notify in a minute; 0: any number" },
	CONF_END
};

static const struct conf_option queue_rows[] = {
	{ "delay_max", CONF_DURATION, QUEUE(delay_max), "10s", 0, 10 * SECOND, CONF_RELOAD,
	  "longest random delay; less than 10s only in test_mode" },
	{ "count_max", CONF_COUNT, QUEUE(count_max), "1000000", 10, 100000000, CONF_RELOAD, "pushes held" },
	{ "bytes_max", CONF_SIZE, QUEUE(bytes_max), "1G", 64 * KIB, 1024 * GIB, CONF_RELOAD, "bytes of pushes held" },
	{ "per_pushkey_max", CONF_COUNT, QUEUE(per_pushkey_max), "1000", 1, 1000000, CONF_RELOAD,
	  "pushes held for one pushkey" },
	{ "age_max", CONF_DURATION, QUEUE(age_max), "1h", 1 * SECOND, 30 * DAY, CONF_RELOAD,
	  "age at which a push is given up" },
	{ "duplicates", CONF_DURATION, QUEUE(duplicates), "10m", 1 * SECOND, 7 * DAY, CONF_RELOAD,
	  "how long a push is remembered, so that it is not sent again when it is repeated" },
	{ "fsync", CONF_ENUM, QUEUE(fsync), "always", 0, 0, CONF_RELOAD,
	  "when the journal is on disk: before the answer, a while later, or as the system likes", .words = fsync_words },
	{ "fsync_interval", CONF_DURATION, QUEUE(fsync_interval), "1s", 1, 1 * MINUTE, CONF_RELOAD,
	  "with fsync: interval, how long that while is" },
	{ "visibility", CONF_DURATION, QUEUE(visibility), "1m", 100, 1 * HOUR, CONF_RELOAD,
	  "with Redis, after which another gateway may deliver what one took" },
	CONF_END
};

static const struct conf_option rejected_rows[] = {
	{ "lifetime", CONF_DURATION, REJECTED(lifetime), "30d", 1 * SECOND, 3660 * DAY, CONF_RELOAD,
	  "how long a rejected pushkey is remembered" },
	{ "max", CONF_COUNT, REJECTED(max), "1000000", 1, 100000000, CONF_RELOAD, "rejected pushkeys remembered" },
	CONF_END
};

static const struct conf_option lookup_rows[] = {
	LOOKUP_ROWS(struct pushgw_conf, lookups),
	CONF_END
};

static const struct conf_option delivery_rows[] = {
	{ "retry_min", CONF_DURATION, DELIVERY(retry_min), "1s", 10, 1 * HOUR, CONF_RELOAD,
	  "after the first failure of a push; doubles with each further one" },
	{ "retry_max", CONF_DURATION, DELIVERY(retry_max), "5m", 10, 1 * DAY, CONF_RELOAD, "the longest of these times" },
	{ "connect_timeout", CONF_DURATION, DELIVERY(connect_timeout), "10s", 50, 10 * MINUTE, CONF_RELOAD,
	  "connecting to a push provider" },
	{ "request_timeout", CONF_DURATION, DELIVERY(request_timeout), "20s", 50, 10 * MINUTE, CONF_RELOAD,
	  "one request to it, connecting included" },
	{ "breaker_pause", CONF_DURATION, DELIVERY(breaker_pause), "30s", 10, 1 * HOUR, CONF_RELOAD,
	  "time between two probes while an app's circuit breaker is open" },
	{ "breaker_window", CONF_COUNT, DELIVERY(breaker_window), "50", 2, 10000, CONF_RELOAD,
	  "last attempts of an app that its circuit breaker looks at" },
	{ "breaker_share", CONF_COUNT, DELIVERY(breaker_share), "50", 1, 100, CONF_RELOAD,
	  "per cent of them that call the pushkey wrong which open it" },
	CONF_END
};

const struct conf_option pushgw_conf_rows[] = {
	SERVICE_ROWS(struct pushgw_conf, service),
	{ "limits", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "limits in bytes and numbers",
	  .rows = limit_rows },
	{ "timeouts", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "limits in time", .rows = timeout_rows },
	{ "clients", CONF_SECTION, PUSHGW(clients), NULL, 0, 0, CONF_RELOAD,
	  "who may notify; nothing set: everybody", .rows = clients_rows },
	{ "guard", CONF_SECTION, PUSHGW(guard), NULL, 0, 0, CONF_RELOAD, "what slows down who guesses passwords",
	  .rows = guard_rows },
	{ "notify", CONF_SECTION, PUSHGW(notify), NULL, 0, 0, CONF_RELOAD, "limits of one notification",
	  .rows = notify_rows },
	{ "redis", CONF_SECTION, PUSHGW(redis), NULL, 0, 0, CONF_RELOAD, "what several instances have in common",
	  .rows = redis_section_rows },
	{ "queue", CONF_SECTION, PUSHGW(queue), NULL, 0, 0, CONF_RELOAD, "where pushes wait, in Redis or in state_dir",
	  .rows = queue_rows },
	{ "rejected", CONF_SECTION, PUSHGW(rejected), NULL, 0, 0, CONF_RELOAD,
	  "pushkeys that their provider rejected", .rows = rejected_rows },
	{ "lookups", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "questions to DNS and other servers",
	  .rows = lookup_rows },
	{ "proxy", CONF_STRING, PUSHGW(proxy), "", 0, 260, CONF_RELOAD,
	  "host:port of an HTTP proxy that leads to push providers" },
	{ "proxy_credentials_file", CONF_PATH, PUSHGW(proxy_credentials_file), "", 0, 4096, CONF_RELOAD,
	  "file with user:password for it" },
	{ "delivery", CONF_SECTION, PUSHGW(delivery), NULL, 0, 0, CONF_RELOAD, "requests to push providers",
	  .rows = delivery_rows },
	{ "apps", CONF_SEQUENCE, PUSHGW(apps), NULL, 1, PUSHGW_APPS_MAX, CONF_RELOAD,
	  "apps that get pushes", .rows = config_app_rows,
	  .item_size = sizeof(struct app_conf), .count = PUSHGW(n_apps) },
	CONF_END
};
/* clang-format on */
