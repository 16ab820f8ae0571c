/* SPDX-License-Identifier: Apache-2.0 */
/* The registration service's rows, manual and sample files say the same; faults name their place.
 */
#include <criterion/criterion.h>

#include "regsvc/config.h"
#include "tests/unit/confdocs.h"

Test(regsvc_config, manual_documents_every_setting_and_nothing_else)
{
	confdocs_manual(regsvc_conf_rows, TEST_SRCDIR "/man/schleuse-regsvc.yaml.5");
}

Test(regsvc_config, sample_shows_every_setting)
{
	struct regsvc_conf c = { .service.path = NULL };

	confdocs_sample(regsvc_conf_rows, TEST_SRCDIR "/etc/regsvc.yaml", &c);
}

Test(regsvc_config, sample_shows_the_defaults)
{
	struct regsvc_conf full = { .service.path = NULL }, minimal = { .service.path = NULL };
	struct confdocs_file f, m;

	confdocs_read(&f, TEST_SRCDIR "/etc/regsvc.yaml", regsvc_conf_rows, &full);
	confdocs_read(&m, TEST_SRCDIR "/etc/regsvc-minimal.yaml", regsvc_conf_rows, &minimal);
	confdocs_defaults(regsvc_conf_rows, &full, &minimal, " admin client_ca anchors ");
	confdocs_done(&f);
	confdocs_done(&m);
}

Test(regsvc_config, missing_files_are_faults_with_their_place)
{
	struct buf errors;

	buf_init(&errors, 1 << 16);
	cr_assert_null(regsvc_conf_load(TEST_SRCDIR "/etc/regsvc-minimal.yaml", &errors));
	cr_assert(memmem(buf_str(&errors).p, buf_len(&errors), "regsvc-minimal.yaml:", 20) != NULL);
	cr_assert(memmem(buf_str(&errors).p, buf_len(&errors), "cannot be read", 14) != NULL,
	    STR_FMT, STR_ARG(buf_str(&errors)));
	buf_fini(&errors);
}
