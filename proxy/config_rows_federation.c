/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_rows_federation - the settings of one federation, a part of those of config_rows.
 */
#include "proxy/config.h"

#define KIB UINT64_C(1024)
#define GIB (1024 * 1024 * KIB)
#define SECOND UINT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

#define CERTIFICATE(m) CONF_FIELD(struct passport_cert_conf, m)
#define FEDERATION(m) CONF_FIELD(struct federation_conf, m)
#define REGSVC(m) CONF_FIELD(struct federation_conf, regsvc.m)

/* clang-format off */
static const struct conf_word ports[] = { { "exact", false }, { "any", true }, { NULL, 0 } };
static const struct conf_word list_sources[] = {
	{ "auto", LIST_GIVEN }, { "file", LIST_FILE }, { "url", LIST_URL }, { "regsvc", LIST_REGSVC }, { NULL, 0 } };
static const struct conf_word passport_sources[] = {
	{ "files", PASSPORT_FILES }, { "regsvc", PASSPORT_REGSVC }, { NULL, 0 } };
static const struct conf_word auths[] = {
	{ "basic", REGSVC_BASIC }, { "oauth", REGSVC_OAUTH }, { "mtls", REGSVC_MTLS }, { NULL, 0 } };

static const struct conf_option regsvc_rows[] = {
	{ "url", CONF_STRING, REGSVC(url), "", 0, 2048, CONF_RELOAD, "https URL of the registration service" },
	{ "subscription", CONF_STRING, REGSVC(subscription), "", 0, 36, CONF_RELOAD,
	  "subscription ID (UUID) it has for this provider" },
	{ "auth", CONF_ENUM, REGSVC(auth), "basic", 0, 0, CONF_RELOAD,
	  "how this proxy authenticates there", .words = auths },
	{ "client_id", CONF_STRING, REGSVC(client_id), "", 0, 255, CONF_RELOAD,
	  "name of this proxy there (basic, oauth)" },
	{ "password_file", CONF_PATH, REGSVC(password_file), "", 0, 4096, CONF_RELOAD,
	  "file of its password or client secret (basic, oauth)" },
	{ "certificate", CONF_PATH, REGSVC(certificate), "", 0, 4096, CONF_RELOAD,
	  "PEM file of its client certificate, the chain behind it (mtls)" },
	{ "key", CONF_PATH, REGSVC(key), "", 0, 4096, CONF_RELOAD, "PEM file of the certificate's private key (mtls)" },
	{ "ca_file", CONF_PATH, REGSVC(ca_file), "", 0, 4096, CONF_RELOAD,
	  "PEM file of the CAs of its server certificate instead of the system's" },
	{ "wait", CONF_DURATION, REGSVC(wait), "60s", 1 * SECOND, 10 * 60 * SECOND, CONF_RELOAD,
	  "how long one request for changes waits there for a change" },
	{ "timeout", CONF_DURATION, REGSVC(timeout), "10s", 100, 10 * 60 * SECOND, CONF_RELOAD, "one other request" },
	{ "outdated_wait", CONF_DURATION, REGSVC(outdated_wait), "1h", 1 * SECOND, 1 * DAY, CONF_RELOAD,
	  "how long it is not asked for the list after its list was outdated, unless it announces a change" },
	{ "miss_rate", CONF_COUNT, REGSVC(miss_rate), "6", 0, 6000, CONF_RELOAD,
	  "questions a minute because of names that are not known here; 0: none" },
	{ "miss_ttl", CONF_DURATION, REGSVC(miss_ttl), "60s", 1 * SECOND, 1 * DAY, CONF_RELOAD,
	  "how long no question is asked for the same name again" },
	CONF_END
};

static const struct conf_option list_rows[] = {
	{ "source", CONF_ENUM, FEDERATION(list_source), "auto", 0, 0, CONF_RELOAD,
	  "where the list comes from; auto: the file or url that is given", .words = list_sources },
	{ "file", CONF_PATH, FEDERATION(list_file), "", 0, 4096, CONF_RELOAD, "federation list as compact JWS" },
	{ "url", CONF_STRING, FEDERATION(list_url), "", 0, 2048, CONF_RELOAD, "https URL of the federation list" },
	{ "ca_file", CONF_PATH, FEDERATION(list_ca_file), "", 0, 4096, CONF_RELOAD,
	  "PEM file of CAs for the url besides the system's" },
	{ "interval", CONF_DURATION, FEDERATION(list_interval), "1h", 100, 7 * DAY, CONF_RELOAD,
	  "time between two looks at the source" },
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
	{ "trust", CONF_SECTION, FEDERATION(list_trust), NULL, 0, 0, CONF_RELOAD,
	  "whether the signer may be trusted at the time", .rows = trust_optional_rows },
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
	{ "source", CONF_ENUM, FEDERATION(passport_source), "files", 0, 0, CONF_RELOAD,
	  "whether the registration service gives certificates besides those of files", .words = passport_sources },
	{ "interval", CONF_DURATION, FEDERATION(passport_interval), "1h", 100, 7 * DAY, CONF_RELOAD,
	  "time between two questions for its certificates" },
	{ "ttl", CONF_DURATION, FEDERATION(passport_ttl), "72h", 1 * SECOND, 30 * DAY, CONF_RELOAD,
	  "age past which its certificates count no more" },
	{ "max_certificates", CONF_COUNT, FEDERATION(passport_max), "1000", 1, 100000, CONF_RELOAD,
	  "most certificates accepted from it" },
	{ "trust", CONF_SECTION, FEDERATION(passport_trust), NULL, 0, 0, CONF_RELOAD,
	  "whether its certificates may be trusted at the time", .rows = trust_optional_rows },
	{ "certificates", CONF_SEQUENCE, FEDERATION(passport_certs), "", 0, 10000, CONF_RELOAD,
	  "certificates whose PASSporTs count", .rows = certificate_rows,
	  .item_size = sizeof(struct passport_cert_conf), .count = FEDERATION(n_passport_certs) },
	CONF_END
};

const struct conf_option proxy_federation_rows[] = {
	{ "name", CONF_STRING, FEDERATION(name), NULL, 1, 64, CONF_RELOAD,
	  "name by which services refer to it; also names its files in state_dir" },
	{ "regsvc", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "registration service", .rows = regsvc_rows },
	{ "list", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "federation list", .rows = list_rows },
	{ "passport", CONF_SECTION, { 0, 0 }, NULL, 0, 0, CONF_RELOAD, "whose PASSporTs count", .rows = passport_rows },
	CONF_END
};
/* clang-format on */
