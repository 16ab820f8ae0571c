/* SPDX-License-Identifier: Apache-2.0 */
/* How often strangers can make us ask (AF_10064, A_25537).  Nothing is sent: the loop never turns.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lib/net/resolver.h"
#include "proxy/fedlink.h"

static struct loop *loop;
static struct resolver *resolver;
static struct fetcher *fetcher;
static struct fedlink link_;
static struct misses *misses;
static struct proxy_conf conf;
static struct federation_conf federation;
static char name[] = "f", url[] = "https://test", subscription[] = "s", user[] = "u",
	    secret[] = "p";
static struct fact_wait waits[8];
static size_t n_waits;

static void
setup(void)
{
	loop = loop_new(NULL);
	resolver = resolver_new(loop, &(struct resolver_config){ 0 });
	fetcher = fetcher_new(loop, &(struct fetcher_config){ .resolver = resolver });
	federation = (struct federation_conf){ .name = name,
		.list_source = LIST_REGSVC,
		.regsvc = { .url = url,
		    .subscription = subscription,
		    .client_id = user,
		    .password = str_z(secret),
		    .miss_rate = 2,
		    .miss_ttl = 60000 } };
	conf.federations = &federation;
	conf.n_federations = 1;
	conf.misses_max_entries = 16;
	link_.store = fedstore_new(
	    &(struct fedstore_config){ .name = "f", .max_bytes = 1, .max_entries = 1 });
	link_.client = regclient_new(loop, fetcher, &federation.regsvc);
	link_.source = fedsource_new(loop,
	    &(struct fedsource_config){
		.name = "f", .client = link_.client, .fetcher = fetcher, .store = link_.store });
	cr_assert_not_null(link_.source);
	misses = misses_new(loop, &conf, &link_);
	cr_assert_not_null(misses);
}

static void
teardown(void)
{
	misses_free(misses);
	fedlink_close(&link_);
	fetcher_free(fetcher);
	resolver_free(resolver);
	loop_free(loop);
}

TestSuite(misses, .init = setup, .fini = teardown);

static void
on_fact(void *arg, const struct fact *f)
{
}

static struct str
key_of(const char *stranger, char room[MISS_KEY_MAX])
{
	return miss_key(room, MISS_DOMAIN, &federation, str_z(stranger));
}

/* What is known of the question about a name; ERR_COUNT: it is under way. */
static enum err
ask(const char *stranger)
{
	char room[MISS_KEY_MAX];
	struct fact_wait *w = &waits[n_waits++];
	const struct fact *f;

	fact_wait_init(w);
	fact_get(misses_cache(misses), key_of(stranger, room), NULL, 0, w, on_fact, NULL);
	f = fact_peek(misses_cache(misses), key_of(stranger, room), NULL);
	return f != NULL ? f->err : ERR_COUNT;
}

/* The look is over. */
static void
looked(enum err err)
{
	misses_looked(misses, 0, err);
	fedsource_pause(link_.source);
	fedsource_resume(link_.source);
}

Test(misses, so_many_questions_a_minute)
{
	cr_assert_eq(ask("a.test"), ERR_COUNT);
	looked(OK);
	cr_assert_eq(ask("b.test"), ERR_COUNT);
	looked(OK);
	cr_assert_eq(ask("c.test"), ERR_RATE);
	cr_assert_eq(ask("a.test"), OK, "asked about a short while ago");
}

Test(misses, who_comes_meanwhile_waits_for_the_same_answer)
{
	cr_assert_eq(ask("a.test"), ERR_COUNT);
	cr_assert_eq(ask("b.test"), ERR_COUNT);
	cr_assert_eq(ask("c.test"), ERR_COUNT);
	looked(ERR_CONNECT);
	cr_assert_eq(ask("a.test"), ERR_CONNECT);
	cr_assert_eq(ask("c.test"), ERR_CONNECT);
	cr_assert_eq(ask("d.test"), ERR_COUNT, "together they were one question");
}

Test(misses, a_question_that_comes_to_another_federation_ends)
{
	static char gone[] = "gone";
	char room[MISS_KEY_MAX], *was = federation.name;
	struct str key;
	const struct fact *f;

	federation.name = gone; /* the worker's configuration is older */
	key = key_of("a.test", room);
	federation.name = was;
	fact_wait_init(&waits[0]);
	fact_get(misses_cache(misses), key, NULL, 0, &waits[0], on_fact, NULL);
	f = fact_peek(misses_cache(misses), key, NULL);
	cr_assert_not_null(f);
	cr_assert_eq(f->err, ERR_RATE);
}

Test(misses, nobody_is_left_waiting_when_it_is_given_up)
{
	cr_assert_eq(ask("a.test"), ERR_COUNT);
	misses_give_up(misses);
	cr_assert_eq(ask("a.test"), ERR_LOOKUP);
}
