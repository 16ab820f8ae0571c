/* SPDX-License-Identifier: Apache-2.0 */
/* Which list a request is judged by that began under another configuration (O-12, CP-3-1). */
#include <criterion/criterion.h>

#include "proxy/passport.h"
#include "proxy/worker.h"

static struct federation_conf older[2], newer[2];
static struct federation_view views[2];
static struct proxy_conf conf;
static struct worker worker;
static struct fedlist *one, *two;
static char name_one[] = "one", name_two[] = "two";

static struct fedlist *
list(const char *text)
{
	const struct fedlist_limits limits = { .max_entries = 10 };
	struct fedlist *l = NULL;

	cr_assert_eq(fedlist_parse(str_z(text), &limits, &l), OK);
	return l;
}

/* The older configuration has the federations the other way round. */
static void
setup(void)
{
	enum err why;

	older[0].name = newer[1].name = name_one;
	older[1].name = newer[0].name = name_two;
	newer[0].list_ttl = newer[1].list_ttl = 60000;
	conf.federations = newer;
	conf.n_federations = 2;
	one = list("{\"version\":1,\"domainList\":[]}");
	two = list("{\"version\":2,\"domainList\":[]}");
	views[1] = (struct federation_view){ .list = one, .as_of = 100 };
	views[0] = (struct federation_view){ .list = two, .as_of = 100 };
	views[0].passports = passport_trust_new(NULL, 0, NULL, &why);
	worker = (struct worker){ .conf = &conf, .federations = views };
}

static void
teardown(void)
{
	snapshot_drop((struct snapshot *)one);
	snapshot_drop((struct snapshot *)two);
	snapshot_drop((struct snapshot *)views[0].passports);
}

TestSuite(worker, .init = setup, .fini = teardown);

static const struct fedlist *
list_of(const struct federation_conf *f, bool *stale)
{
	const struct fedlist *l;

	worker_list(&worker, f, 120, &l, stale);
	return l;
}

Test(worker, a_request_older_than_the_configuration_keeps_its_federation)
{
	bool stale;

	cr_assert_eq(list_of(&older[0], &stale), one);
	cr_assert_not(stale);
	cr_assert_eq(list_of(&older[1], &stale), two);
	cr_assert_eq(list_of(&newer[0], &stale), two);
	cr_assert_null(worker_passports(&worker, &older[0]));
	cr_assert_eq(worker_passports(&worker, &older[1]), views[0].passports);
}

Test(worker, a_federation_that_is_gone_has_no_list)
{
	bool stale = true;

	conf.n_federations = 1;
	cr_assert_null(list_of(&older[0], &stale));
	cr_assert_null(worker_passports(&worker, &older[0]));
	cr_assert_eq(list_of(&older[1], &stale), two);
}
