/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/redis_section.h"

#include "lib/daemon/setting.h"

#define HOUR (3600 * UINT64_C(1000))
#define REDIS(m) CONF_FIELD(struct redis_conf, m)

/* clang-format off */
const struct conf_option redis_section_rows[] = {
	{ "address", CONF_STRING, REDIS(address), "", 0, 1024, CONF_RELOAD,
	  "host:port, the same after redis:// or rediss://, or unix:/path; empty: no Redis" },
	{ "sentinels", CONF_STRINGS, REDIS(sentinels), "", 0, 16, CONF_RELOAD,
	  "host:port of sentinels that know where Redis is, instead of address" },
	{ "master_name", CONF_STRING, REDIS(master_name), "", 0, 255, CONF_RELOAD, "name by which the sentinels know it" },
	{ "tls", CONF_BOOL, REDIS(tls), "false", 0, 0, CONF_RELOAD, "whether Redis is spoken to over TLS" },
	{ "ca_file", CONF_PATH, REDIS(ca_file), "", 0, 4096, CONF_RELOAD,
	  "PEM file of the CAs of its certificate instead of the system's" },
	{ "user", CONF_STRING, REDIS(user), "", 0, 255, CONF_RELOAD, "user to log in as" },
	{ "password_file", CONF_PATH, REDIS(password_file), "", 0, 4096, CONF_RELOAD, "file of the password" },
	{ "db", CONF_COUNT, REDIS(db), "0", 0, 65535, CONF_RELOAD, "number of the database" },
	{ "key_prefix", CONF_STRING, REDIS(key_prefix), "schleuse:", 0, 100, CONF_RELOAD,
	  "beginning of the names of all our keys" },
	{ "timeout", CONF_DURATION, REDIS(timeout), "5s", 100, 1 * HOUR, CONF_RELOAD, "connecting, and one command" },
	CONF_END
};
/* clang-format on */

bool
redis_section_on(const struct redis_conf *c)
{
	return c->where.text != NULL || c->n_nodes > 0;
}

/* --- addresses --- */

/* After redis:// or rediss://; everything else as it is. */
static struct str
without_scheme(struct redis_conf *c, struct str text)
{
	struct str scheme = str_has_prefix(text, STR("rediss://"))  ? STR("rediss://")
			    : str_has_prefix(text, STR("redis://")) ? STR("redis://")
								    : STR_NONE;

	if (scheme.n == STR("rediss://").n)
		c->tls = true;
	text = str_from(text, scheme.n);
	if (scheme.n > 0 && str_has_suffix(text, STR("/")))
		text.n--;
	return text;
}

/* Text with a password in it is not repeated in the fault. */
static bool
parse(
    struct load *l, const char *what, struct str text, const void *field, struct conf_address *out)
{
	const char *why;

	if (memchr(text.p, '@', text.n) != NULL) {
		load_fault(l, field,
		    "%s: no user or password belongs here; use user and password_file", what);
		return false;
	}
	why = conf_address_parse(l->ctx.arena, text, l->ctx.folder, out);
	if (why == NULL && out->unix_path == NULL && out->port == 0)
		why = "port 0 cannot be connected to";
	if (why != NULL)
		load_fault(l, field, "%s: '" STR_FMT "': %s", what, STR_ARG(text), why);
	return why == NULL;
}

static void
demand_near(struct load *l, const struct redis_conf *c, bool test_mode, const char *what,
    const struct conf_address *ad, const void *field)
{
	if (c->tls || test_mode || conf_address_is_loopback(ad))
		return;
	load_fault(l, field,
	    "%s: '%s' is another machine; set redis.tls, or use a loopback address or unix:/path",
	    what, ad->text);
}

static void
check_address(struct load *l, struct redis_conf *c, bool test_mode)
{
	struct conf_address where = { 0 };

	if (c->address == NULL ||
	    !parse(l, "address", without_scheme(c, str_z(c->address)), &c->address, &where))
		return;
	c->where = where;
	demand_near(l, c, test_mode, "address", &c->where, &c->address);
	if (c->tls && c->where.unix_path != NULL)
		load_fault(l, &c->tls, "tls: a unix socket has none; remove the one or the other");
}

static void
check_sentinel(struct load *l, struct redis_conf *c, bool test_mode, char *const *text)
{
	struct conf_address where = { 0 };

	if (*text == NULL || !parse(l, "sentinels", str_z(*text), text, &where))
		return;
	if (where.unix_path != NULL) {
		load_fault(l, text, "sentinels: '%s' has no port; write host:port", *text);
		return;
	}
	demand_near(l, c, test_mode, "sentinels", &where, text);
	c->nodes[c->n_nodes++] = (struct redis_node){ where.host, where.port };
}

static void
check_sentinels(struct load *l, struct redis_conf *c, bool test_mode)
{
	if ((c->sentinels.n > 0) != (c->master_name != NULL))
		load_fault(l, c->sentinels.n > 0 ? (void *)&c->sentinels : &c->master_name,
		    "master_name: goes together with sentinels; set both or none");
	if (c->sentinels.n == 0)
		return;
	if (c->address != NULL)
		load_fault(l, &c->address,
		    "address: sentinels are set too; Redis is found by one of the two");
	c->nodes = arena_alloc(l->ctx.arena, c->sentinels.n * sizeof(*c->nodes));
	if (c->nodes == NULL) {
		load_fault(l, &c->sentinels, "sentinels: out of memory");
		return;
	}
	for (size_t i = 0; i < c->sentinels.n; i++)
		check_sentinel(l, c, test_mode, &c->sentinels.v[i]);
}

void
redis_section_check(struct load *l, struct redis_conf *c, bool test_mode)
{
	check_address(l, c, test_mode);
	check_sentinels(l, c, test_mode);
	if (redis_section_on(c) && c->user != NULL && c->password_file == NULL)
		load_fault(
		    l, &c->user, "user: without password_file there is nothing to log in with");
}

/* --- files --- */

void
redis_section_files(struct load *l, struct redis_conf *c, bool test_mode)
{
	setting_ca_file(l, "ca_file", &c->ca_file);
	setting_secret(l, test_mode, "password_file", &c->password_file, &c->password);
}

void
redis_section_fini(struct redis_conf *c)
{
	setting_wipe(c->password);
}
