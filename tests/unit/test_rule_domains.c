/* SPDX-License-Identifier: Apache-2.0 */
/* AF_10064-02, A_25534, FD-5.2.1.2-7 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "tests/unit/judge.h"

#define MESSAGE "{\"type\":\"m.room.message\",\"sender\":\"@anna:" US "\",\"room_id\":\"!r:gone.example\",\"content\":{}}"
#define MEMBER(sender, key)                                                                        \
	"{\"type\":\"m.room.member\",\"sender\":\"" sender "\",\"state_key\":\"" key                    \
	"\",\"room_id\":\"!r:gone.example\",\"content\":{\"membership\":\"join\"}}"

static const struct macro macros[] = {
	{ "$MESSAGE", MESSAGE },
	{ "$JOIN", MEMBER("@anna:" US, "@anna:" US) },
	{ "$KICK", MEMBER("@anna:" US, "@eve:" THEM) },
	{ "$EVIL", MEMBER("@anna:" US, "@eve:evil.example") },
};

static const struct {
	const char *name, *method, *target;
} endpoints[] = {
	{ "send", "PUT", "/_matrix/federation/v1/send/1" },
	{ "send/", "PUT", "/_matrix/federation/v1/send/1/" },
	{ "invite v1", "PUT", "/_matrix/federation/v1/invite/!r:gone.example/$e:gone.example" },
	{ "invite v2", "PUT", "/_matrix/federation/v2/invite/!r:gone.example/$e" },
	{ "join v1", "PUT", "/_matrix/federation/v1/send_join/!r:gone.example/$e" },
	{ "join v2", "PUT", "/_matrix/federation/v2/send_join/!r:gone.example/$e" },
	{ "leave v1", "PUT", "/_matrix/federation/v1/send_leave/!r:gone.example/$e" },
	{ "leave v2", "PUT", "/_matrix/federation/v2/send_leave/!r:gone.example/$e" },
	{ "knock", "PUT", "/_matrix/federation/v1/send_knock/!r:gone.example/$e" },
	{ "exchange", "PUT", "/_matrix/federation/v1/exchange_third_party_invite/!r:gone.example" },
	{ "send v3", "PUT", "/_matrix/federation/v3/send/1" },
	{ "join v3", "PUT", "/_matrix/federation/v3/send_join/!r:gone.example/$e" },
	{ "join/", "PUT", "/_matrix/federation/v2/send_join/!r:gone.example/$e/" },
	{ "Leave", "PUT", "/_matrix/federation/v2/Send_Leave/!r:gone.example/$e" },
	{ "knock;", "PUT", "/_matrix/federation/v1/send_knock;x/!r:gone.example/$e" },
	{ "unknown", "POST", "/_matrix/federation/v9/new/sending" },
	{ "keys", "POST", "/_matrix/federation/v1/user/keys/query" },
};

static struct fedlist *list;

static void
setup(void)
{
	const struct fedlist_limits limits = { 100 };
	const char *text = "{\"version\":1,\"domainList\":["
			   "{\"domain\":\"" US "\",\"telematikID\":\"1\",\"isInsurance\":false},"
			   "{\"domain\":\"" THEM "\",\"telematikID\":\"1\",\"isInsurance\":false}]}";

	cr_assert_eq(fedlist_parse(str_z(text), &limits, &list), OK);
}

static void
teardown(void)
{
	snapshot_drop((struct snapshot *)list);
}

TestSuite(rule_domains, .init = setup, .fini = teardown);

static enum err
open_request(struct request *r, const char *endpoint, const char *body)
{
	size_t e = 0;
	enum err err;

	while (strcmp(endpoints[e].name, endpoint) != 0)
		cr_assert_lt(++e, sizeof(endpoints) / sizeof(endpoints[0]), "%s", endpoint);
	err = request_init(r, endpoints[e].method, endpoints[e].target, "", body);
	r->j.outbound = true;
	r->j.origin = STR(US);
	r->j.destination = STR(THEM);
	r->j.list = list;
	return err;
}

static void
check_names(const struct judged *j, const char *expected, const char *body)
{
	struct buf b;

	buf_init(&b, 4096);
	for (size_t i = 0; i < j->n_domains; i++)
		cr_assert(buf_printf(&b, "%s" STR_FMT, i > 0 ? " " : "", STR_ARG(j->domains[i])));
	cr_assert(str_eq(buf_str(&b), str_z(expected)), "%s: %.*s", body, STR_ARG(buf_str(&b)));
	buf_fini(&b);
}

static const char *
verdict(const char *const *field)
{
	char *body = expand(field[1], macros, sizeof(macros) / sizeof(macros[0]));
	struct request r;
	enum err err = open_request(&r, field[0], body);

	if (err == OK)
		err = rule_domains_list(&r.j);
	if (err == OK) {
		check_names(&r.j, field[2], body);
		err = rule_domains(&r.j);
		cr_assert(str_eq(r.j.stranger, str_z(field[3])), "%s: %.*s", body, STR_ARG(r.j.stranger));
	}
	request_fini(&r);
	free(body);
	return err_name(err);
}

Test(rule_domains, judges_every_case)
{
	judge_cases("domains", verdict);
}

static enum err
list_many(unsigned n, size_t *found)
{
	struct request r;
	struct buf b;
	enum err err;

	buf_init(&b, 1 << 20);
	cr_assert(buf_printf(&b, "{\"edus\":[{\"edu_type\":\"m.direct_to_device\",\"content\":{\"sender\":\"@anna:" US "\",\"messages\":{"));
	for (unsigned i = 0; i < n; i++)
		cr_assert(buf_printf(&b, "%s\"@x:h%u.example\":{}", i > 0 ? "," : "", i));
	cr_assert(buf_put(&b, STR("}}}]}")));
	cr_assert(buf_put(&b, str_of("", 1)));
	cr_assert_eq(open_request(&r, "send", buf_str(&b).p), OK);
	err = rule_domains_list(&r.j);
	*found = r.j.n_domains;
	request_fini(&r);
	buf_fini(&b);
	return err;
}

Test(rule_domains, are_bounded)
{
	size_t n;

	cr_assert_eq(list_many(DOMAINS_MAX - 1, &n), OK);
	cr_assert_eq(n, DOMAINS_MAX);
	cr_assert_eq(list_many(DOMAINS_MAX, &n), ERR_JSON_SHAPE);
}

/* Whatever allocation fails, nothing is left out. */
Test(rule_domains, are_refused_when_memory_does_not_suffice)
{
	size_t refused = 0;

	for (size_t more = 0; more < 8192; more += 16) {
		struct request r;
		enum err err;

		cr_assert_eq(open_request(&r, "join v2", MEMBER("@an\\\"na:" US, "@anna:" THEM)), OK);
		r.arena.max = r.arena.used + more;
		err = rule_domains_list(&r.j);
		cr_assert(err == ERR_MEMORY || (err == OK && r.j.n_domains == 2), "%s", err_name(err));
		refused += err == ERR_MEMORY;
		request_fini(&r);
	}
	cr_assert_gt(refused, DOMAINS_MAX * sizeof(struct str) / 16);
	cr_assert_lt(refused, 8192 / 16);
}
