/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_events - bodies with events as the rules read them, in both directions.
 *
 * What is found is within its bounds: each domain a server name in its normal form, and only once;
 * each invite of the destination's users.  Reading the same body again finds the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/matrix/canonical.h"
#include "lib/matrix/name.h"
#include "proxy/rules/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool what)
{
	if (!what)
		abort();
}

static void
check_domains(struct judged *j)
{
	enum err err = rule_domains_list(j);
	size_t n = j->n_domains;

	check(n <= DOMAINS_MAX);
	for (size_t i = 0; i < n; i++) {
		char normal[NAME_MAX_LEN + 1];

		check(str_eq(name_normal(j->domains[i], normal), j->domains[i]));
		for (size_t k = 0; k < i; k++)
			check(!str_eq(j->domains[k], j->domains[i]));
	}
	check(rule_domains_list(j) == err && j->n_domains == n);
	if (err == OK && n > 0) /* no list: nobody is on it */
		check(rule_domains(j) == ERR_DOMAIN_UNLISTED && str_eq(j->stranger, j->domains[0]));
}

static void
check_transaction(struct judged *j)
{
	if (rule_transaction_list(j) != OK)
		return;
	check(j->n_invites <= INVITES_MAX);
	for (size_t i = 0; i < j->n_invites; i++) {
		struct str local, domain;

		check(mxid_parse(j->invites[i].invitee, &local, &domain));
		check(rule_same_server(domain, j->destination));
	}
}

static void
check_body(struct arena *a, struct str content, enum route_rule rule, bool outbound)
{
	static char us[] = "us.example";
	static const struct service_conf service = { .server_name = us };
	static const struct federation_conf federation;
	const struct route route = { .rule = rule };
	struct judged j = {
		.route = &route,
		.content = content,
		.arena = a,
		.service = &service,
		.federation = &federation,
		.outbound = outbound,
		.destination = outbound ? STR("them.example") : STR("us.example"),
	};

	check_domains(&j);
	if (rule == RULE_TRANSACTION)
		check_transaction(&j);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum route_rule rules[] = { RULE_TRANSACTION, RULE_INVITE, RULE_EVENT };
	struct str content;
	struct arena a;

	arena_init(&a, 1 << 24);
	if (canonical_form(&a, str_of((const char *)data, size), &content) == OK)
		for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
			for (int outbound = 0; outbound < 2; outbound++)
				check_body(&a, content, rules[i], outbound != 0);
	arena_fini(&a);
	return 0;
}
