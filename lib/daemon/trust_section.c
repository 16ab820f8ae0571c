/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/trust_section.h"

#include "lib/daemon/setting.h"

#define SECOND UINT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

#define TRUST(m) CONF_FIELD(struct trust_conf, m)

/* clang-format off */
static const struct conf_word revocations[] = {
	{ "required", TRUST_REQUIRED }, { "soft", TRUST_SOFT }, { "off", TRUST_OFF }, { NULL, 0 } };

#define TRUST_ROWS(revocation_preset) \
	{ "base_url", CONF_STRING, TRUST(base_url), "", 0, 1024, CONF_RELOAD, \
	  "URL under which roots.json and sub-CAs are downloaded; none: the anchors have to suffice" }, \
	{ "roots_interval", CONF_DURATION, TRUST(roots_interval), "7d", 100, 30 * DAY, CONF_RELOAD, \
	  "time between two looks for new roots" }, \
	{ "revocation", CONF_ENUM, TRUST(revocation), revocation_preset, 0, 0, CONF_RELOAD, \
	  "whether OCSP must say good, may be silent, or is not asked", .words = revocations }, \
	{ "ocsp_url", CONF_STRING, TRUST(ocsp_url), "", 0, 1024, CONF_RELOAD, \
	  "OCSP responder for signers; none: the one in the certificate" }, \
	{ "ca_ocsp_url", CONF_STRING, TRUST(ca_ocsp_url), "", 0, 1024, CONF_RELOAD, \
	  "OCSP responder for sub-CAs; none: the one in the certificate, or ocsp_url" }, \
	{ "ocsp_max_age", CONF_DURATION, TRUST(ocsp_max_age), "1h", 100, 1 * HOUR, CONF_RELOAD, \
	  "how long an answer of OCSP counts" }, \
	{ "grace", CONF_DURATION, TRUST(grace), "24h", 0, 24 * HOUR, CONF_RELOAD, \
	  "how long after the last good answer a signer in use is trusted without a new one" }, \
	{ "retry", CONF_DURATION, TRUST(retry), "1m", 100, 1 * HOUR, CONF_RELOAD, \
	  "how long a service that failed is left alone at first; doubles up to an hour" }, \
	{ "max_issuers", CONF_COUNT, TRUST(max_issuers), "64", 1, 1000, CONF_RELOAD, \
	  "sub-CAs remembered" }, \
	{ "max_certificates", CONF_COUNT, TRUST(max_certificates), "10000", 8, 1000000, CONF_RELOAD, \
	  "certificates whose answers of OCSP are remembered" }, \
	CONF_END

const struct conf_option trust_rows[] = { TRUST_ROWS("required") };
const struct conf_option trust_optional_rows[] = { TRUST_ROWS("off") };
/* clang-format on */

static void
check_url(struct load *l, const char *what, char **url)
{
	if (*url != NULL && !setting_is_responder(*url))
		load_fault(l, url, "%s: '%s' is not a URL; write https://host/path or http://",
		    what, *url);
}

void
trust_check(struct load *l, struct trust_conf *c)
{
	check_url(l, "base_url", &c->base_url);
	check_url(l, "ocsp_url", &c->ocsp_url);
	check_url(l, "ca_ocsp_url", &c->ca_ocsp_url);
	if (c->base_url != NULL && str_has_suffix(str_z(c->base_url), STR("/")))
		c->base_url[strlen(c->base_url) - 1] = '\0';
}

bool
trust_wanted(const struct trust_conf *c)
{
	return c->base_url != NULL || c->revocation != TRUST_OFF;
}

struct trust_config
trust_settings(const struct trust_conf *c)
{
	return (struct trust_config){
		.base_url = c->base_url,
		.ocsp_url = c->ocsp_url,
		.ca_ocsp_url = c->ca_ocsp_url,
		.revocation = c->revocation,
		.ocsp_max_age = c->ocsp_max_age,
		.grace = c->grace,
		.roots_interval = c->roots_interval,
		.retry_min = c->retry,
		.retry_max = c->retry > HOUR ? c->retry : HOUR,
		.max_issuers = c->max_issuers,
		.max_certificates = c->max_certificates,
	};
}
