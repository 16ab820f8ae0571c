/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/certs_conf.h"

#include "lib/daemon/setting.h"
#include "regsvc/series.h"
#include "regsvc/vzd.h"

#define SECOND UINT64_C(1000)
#define DAY (24 * 3600 * SECOND)

#define PASSPORT(m) CONF_FIELD(struct passport_conf, m)

/* clang-format off */
const struct conf_option passport_rows[] = {
	{ "anchors", CONF_PATHS, PASSPORT(anchor_files), "", 0, 64, CONF_RELOAD,
	  "PEM files of the trust anchors of PASSporT certificates; none: none are served" },
	{ "vzd", CONF_BOOL, PASSPORT(vzd), "true", 0, 0, CONF_RELOAD,
	  "whether the VZD is asked for the certificates of its PASSporT service" },
	{ "interval", CONF_DURATION, PASSPORT(interval), "1h", 100, 1 * DAY, CONF_RELOAD,
	  "time between two questions to the VZD" },
	{ "overlap", CONF_DURATION, PASSPORT(overlap), "24h", 0, 30 * DAY, CONF_RELOAD,
	  "how long a certificate that the VZD no longer gives is still served" },
	{ "max_vzd", CONF_COUNT, PASSPORT(max_vzd), "16", 1, VZD_CERTIFICATES_MAX, CONF_RELOAD,
	  "certificates taken of an answer of the VZD" },
	{ "max_registered", CONF_COUNT, PASSPORT(max_registered), "100", 0, 1000, CONF_RELOAD,
	  "certificates that can be registered here" },
	{ "trust", CONF_SECTION, PASSPORT(trust), NULL, 0, 0, CONF_RELOAD,
	  "whether a certificate may be trusted at the time", .rows = trust_rows },
	CONF_END
};
/* clang-format on */

void
passport_check(struct load *l, struct passport_conf *c)
{
	trust_check(l, &c->trust);
}

void
passport_files(struct load *l, struct passport_conf *c)
{
	c->anchors = setting_anchors(l, &c->anchor_files);
}

void
passport_files_fini(struct passport_conf *c)
{
	X509_STORE_free(c->anchors);
}

static void
on_event(void *arg, enum trust_event event)
{
	(void)arg;
	series_trust(SERIES_TRUST_PASSPORT, event);
}

struct trust *
passport_trust(const struct passport_conf *c, struct loop *loop, struct fetcher *fetcher,
    const struct lookup_conf *lookups, const char *state_dir, const struct trust *from)
{
	struct trust_config cfg = trust_settings(&c->trust);

	cfg.from = from;
	cfg.name = "passport";
	cfg.client_id = lookups->client_id;
	cfg.state_dir = state_dir;
	cfg.anchors = c->anchors;
	cfg.fetcher = fetcher;
	cfg.timeout = lookups->timeout;
	cfg.count = on_event;
	return trust_new(loop, &cfg);
}
