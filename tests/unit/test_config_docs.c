/* SPDX-License-Identifier: Apache-2.0 */
/* Rows, manual and sample files say the same. */
#include <criterion/criterion.h>

#include "proxy/config.h"
#include "tests/unit/confdocs.h"

Test(config_docs, manual_documents_every_setting_and_nothing_else)
{
	confdocs_manual(proxy_conf_rows, TEST_SRCDIR "/man/schleuse-proxy.yaml.5");
}

Test(config_docs, sample_shows_every_setting)
{
	struct proxy_conf c = { .path = NULL };

	confdocs_sample(proxy_conf_rows, TEST_SRCDIR "/etc/proxy.yaml", &c);
}

Test(config_docs, sample_shows_the_defaults)
{
	struct proxy_conf full = { .path = NULL }, minimal = { .path = NULL };
	struct confdocs_file f, m;

	confdocs_read(&f, TEST_SRCDIR "/etc/proxy.yaml", proxy_conf_rows, &full);
	confdocs_read(&m, TEST_SRCDIR "/etc/proxy-minimal.yaml", proxy_conf_rows, &minimal);
	confdocs_defaults(proxy_conf_rows, &full, &minimal, " admin ");
	for (const struct conf_option *r = proxy_conf_rows; r->name != NULL; r++) {
		if (strcmp(r->name, "federations") == 0)
			confdocs_defaults(r->rows, full.federations, minimal.federations,
			    " passport url subscription client_id password_file ca_file ");
		else if (strcmp(r->name, "services") == 0)
			confdocs_defaults(r->rows, full.services, minimal.services,
			    " hosts default org_admins upstreams paths secret_file allow support "
			    "contacts ");
	}
	confdocs_done(&f);
	confdocs_done(&m);
}
