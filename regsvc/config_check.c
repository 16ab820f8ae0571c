/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/config_check.h"

#include "lib/daemon/setting.h"

void
config_check(struct load *l, struct regsvc_conf *c)
{
	service_check(l, &c->service);
	redis_section_check(l, &c->redis, c->service.test_mode);
	lookup_check(l, &c->lookups);
	vzd_check(l, &c->vzd, &c->list);
	passport_check(l, &c->passport);
	gate_check(l, &c->guard);
}

void
config_files(struct load *l, struct regsvc_conf *c)
{
	service_files(l, &c->service);
	redis_section_files(l, &c->redis, c->service.test_mode);
	setting_ca_file(l, "ca_file", &c->lookups.ca_file);
	vzd_files(l, c->service.test_mode, c->lookups.ca_system, &c->vzd, &c->list);
	passport_files(l, &c->passport);
	gate_files(l, c->service.test_mode, &c->token);
}

void
config_files_fini(struct regsvc_conf *c)
{
	gate_files_fini(&c->token);
	service_files_fini(&c->service);
	redis_section_fini(&c->redis);
	vzd_files_fini(&c->vzd, &c->list);
	passport_files_fini(&c->passport);
}
