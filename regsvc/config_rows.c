/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_rows - the settings of schleuse-regsvc, in the order of the sample file.
 *
 * A row here, its entry in man/schleuse-regsvc.yaml.5 and its line in etc/regsvc.yaml belong
 * together; a test compares the three.  A section with a struct of its own has its rows relative to
 * that struct, perhaps in the file of whoever uses it.
 */
#include "regsvc/config.h"

#define MIB (UINT64_C(1) << 20)
#define SECOND UINT64_C(1000)
#define HOUR (3600 * SECOND)

#define STORE(m) CONF_FIELD(struct regsvc_store_conf, m)
#define REGSVC(m) CONF_FIELD(struct regsvc_conf, m)

/* clang-format off */
static const struct conf_option limit_rows[] = {
	SERVICE_LIMIT_ROWS(struct regsvc_conf, service, "64k", "64"),
	{ "changes_waiters", CONF_COUNT, REGSVC(changes.waiters), "2048", 1, 1000000, CONF_RELOAD,
	  "requests that wait for changes" },
	{ "changes_per_client", CONF_COUNT, REGSVC(changes.per_client), "1", 0, 1000, CONF_RELOAD,
	  "of them those of one client; 0: any number" },
	CONF_END
};

static const struct conf_option timeout_rows[] = {
	SERVICE_TIMEOUT_ROWS(struct regsvc_conf, service),
	{ "changes", CONF_DURATION, REGSVC(changes.wait), "5m", 1 * SECOND, 1 * HOUR, CONF_RELOAD,
	  "for which a request may wait for changes" },
	SERVICE_DRAIN_ROW(struct regsvc_conf, service),
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
	SERVICE_ROWS(struct regsvc_conf, service),
	{ "limits", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "limits in bytes and numbers",
	  .rows = limit_rows },
	{ "timeouts", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "limits in time", .rows = timeout_rows },
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
