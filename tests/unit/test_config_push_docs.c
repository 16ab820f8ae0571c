/* SPDX-License-Identifier: Apache-2.0 */
/* The push gateway's rows, manual and sample files say the same. */
#include <criterion/criterion.h>

#include "pushgw/config_check.h"
#include "tests/unit/confdocs.h"

Test(config_push_docs, manual_documents_every_setting_and_nothing_else)
{
	confdocs_manual(pushgw_conf_rows, TEST_SRCDIR "/man/schleuse-pushgw.yaml.5");
}

Test(config_push_docs, sample_shows_every_setting)
{
	struct pushgw_conf c = { .proxy = NULL };

	confdocs_sample(pushgw_conf_rows, TEST_SRCDIR "/etc/pushgw.yaml", &c);
}

Test(config_push_docs, sample_shows_the_defaults)
{
	struct pushgw_conf full = { .proxy = NULL }, minimal = { .proxy = NULL };
	struct confdocs_file f, m;
	struct app_conf *a;

	confdocs_read(&f, TEST_SRCDIR "/etc/pushgw.yaml", pushgw_conf_rows, &full);
	confdocs_read(&m, TEST_SRCDIR "/etc/pushgw-minimal.yaml", pushgw_conf_rows, &minimal);
	confdocs_defaults(
	    pushgw_conf_rows, &full, &minimal, " admin client_ca networks certificates basic ");
	a = &minimal.apps[0];
	confdocs_defaults(config_app_rows, &full.apps[0], a,
	    " opt_in opt_in_flag topic key_file key_id team_id fcm ");
	confdocs_defaults(config_fcm_rows, &full.apps[1].fcm, &a->fcm, " service_account_file ");
	confdocs_defaults(config_webpush_rows, &full.apps[2].webpush, &a->webpush,
	    " vapid_key_file contact endpoints ");
	confdocs_defaults(config_unifiedpush_rows, &full.apps[3].unifiedpush, &a->unifiedpush, "");
	confdocs_done(&f);
	confdocs_done(&m);
}

Test(config_push_docs, missing_files_are_faults_with_their_place)
{
	struct buf errors;

	buf_init(&errors, 1 << 16);
	cr_assert_null(pushgw_conf_load(TEST_SRCDIR "/etc/pushgw-minimal.yaml", &errors));
	cr_assert(memmem(buf_str(&errors).p, buf_len(&errors), "pushgw-minimal.yaml:", 20) != NULL);
	cr_assert(memmem(buf_str(&errors).p, buf_len(&errors), "cannot be read", 14) != NULL,
	    STR_FMT, STR_ARG(buf_str(&errors)));
	buf_fini(&errors);
}
