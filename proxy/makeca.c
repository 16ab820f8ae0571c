/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/makeca.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/net/minter.h"
#include "proxy/config.h"

#define ERRORS_MAX (1 << 20)
#define DAYS 730
#define DAYS_MAX 3650
#define DAY_MS (86400LL * 1000)

enum { MAKE_CA, PERMIT, DAYS_VALID };

struct making {
	struct minter_ca_request request;
	const char **permitted, **excluded; /* of the request */
	char *folder;                       /* absolute */
	struct proxy_conf *conf;            /* what `excluded` points into, or NULL */
};

static bool
complain(const char *what, const char *why)
{
	fprintf(stderr, "schleuse-proxy --make-ca: %s%s\n", what, why);
	return false;
}

/* --- what is asked for --- */

static bool
take_folder(struct making *m, const char *text)
{
	char why[512];

	m->folder = realpath(text, NULL);
	if (m->folder != NULL)
		return true;
	snprintf(why, sizeof(why), ": %s; name a folder that exists", strerror(errno));
	return complain(text, why);
}

static bool
take_days(struct making *m, const char *text)
{
	uint64_t days;

	if (!str_to_u64(str_z(text), DAYS_MAX, &days) || days == 0)
		return complain("--days: write a number from 1 to 3650, not ", text);
	m->request.days = (unsigned)days;
	return true;
}

static bool
take_values(struct making *m, const struct program_call *call)
{
	bool ok = true;

	m->permitted = calloc(call->n + 1, sizeof(*m->permitted));
	if (m->permitted == NULL)
		return complain("out of memory", "");
	m->request.permitted = m->permitted;
	for (size_t i = 0; ok && i < call->n; i++) {
		const struct program_value *v = &call->values[i];

		if (v->option == &makeca_options[MAKE_CA])
			ok = take_folder(m, v->text);
		else if (v->option == &makeca_options[DAYS_VALID])
			ok = take_days(m, v->text);
		else
			m->permitted[m->request.n_permitted++] = v->text;
	}
	return ok;
}

static bool
read_config(struct making *m, const struct program_call *call)
{
	struct buf errors;

	if (!call->named && access(call->config, F_OK) != 0 && errno == ENOENT)
		return true;
	buf_init(&errors, ERRORS_MAX);
	m->conf = proxy_conf_read(call->config, &errors);
	if (m->conf == NULL)
		fwrite(buf_str(&errors).p, 1, buf_len(&errors), stderr);
	buf_fini(&errors);
	return m->conf != NULL ||
	       complain(call->config, " says which names are our own; it must be right first");
}

/* Our own names, but those that were permitted by name. */
static bool
exclude_own(struct making *m)
{
	struct minter_ca_request *r = &m->request;
	size_t n = 0;

	for (size_t i = 0; m->conf != NULL && i < m->conf->n_services; i++)
		n += m->conf->services[i].hosts.n;
	m->excluded = calloc(n + 1, sizeof(*m->excluded));
	if (m->excluded == NULL)
		return complain("out of memory", "");
	r->excluded = m->excluded;
	for (size_t i = 0; m->conf != NULL && i < m->conf->n_services; i++)
		for (size_t h = 0; h < m->conf->services[i].hosts.n; h++) {
			const char *host = m->conf->services[i].hosts.v[h];

			if (!minter_ca_permits(r, host))
				m->excluded[r->n_excluded++] = host;
		}
	return true;
}

/* --- what was made --- */

static void
list(const char *what, const char *const *names, size_t n, const char *none)
{
	printf("  %-12s ", what);
	for (size_t i = 0; i < n; i++)
		printf("%s%s", i > 0 ? ", " : "", names[i]);
	printf("%s\n", n > 0 ? ", with all names below" : none);
}

static void
tell(const struct making *m)
{
	const struct minter_ca_request *r = &m->request;
	char date[CLOCK_TEXT_MAX];

	printf("A CA for the homeserver's tunnels has been made:\n"
	       "  %-12s %s/" MINTER_CA_CERTIFICATE "\n"
	       "  %-12s %s/" MINTER_CA_KEY " (secret; it must belong to the daemon's user)\n"
	       "  %-12s %s\n",
	    "certificate", m->folder, "key", m->folder, "valid until",
	    clock_text(clock_wall_ms() + r->days * DAY_MS, date));
	list("issues for", r->permitted, r->n_permitted, "every host but the following");
	list("never for", r->excluded, r->n_excluded,
	    r->n_permitted > 0 ? "any other host" : "(no name is excluded)");
	printf(
	    "\nIn proxy.yaml:\n"
	    "outbound:\n"
	    "  ca_certificate: \"%s/" MINTER_CA_CERTIFICATE "\"\n"
	    "  ca_key: \"%s/" MINTER_CA_KEY "\"\n"
	    "\nIn the homeserver's homeserver.yaml (Synapse), which needs the certificate only:\n"
	    "federation_custom_ca_list:\n"
	    "  - \"%s/" MINTER_CA_CERTIFICATE "\"\n",
	    m->folder, m->folder, m->folder);
	if (r->n_permitted + r->n_excluded == 0)
		fprintf(stderr,
		    "warning: whoever has this key can pass for every host, ours too, towards who "
		    "trusts\nthe CA; name the configuration with -c, or hosts with --permit\n");
}

static int
make_ca(const struct program_call *call)
{
	struct making m = { .request.days = DAYS };
	char why[512];
	bool ok = take_values(&m, call) && read_config(&m, call) && exclude_own(&m);

	if (ok && !minter_ca_make(m.folder, &m.request, why, sizeof(why)))
		ok = complain(why, "");
	if (ok)
		tell(&m);
	snapshot_drop((struct snapshot *)m.conf);
	free(m.folder);
	free(m.permitted);
	free(m.excluded);
	return ok ? 0 : 1;
}

const struct program_option makeca_options[] = {
	[MAKE_CA] = { "make-ca", "FOLDER", "make a CA for the homeserver's tunnels there, exit",
	    make_ca },
	[PERMIT] = { "permit", "NAME",
	    "it may issue for this name or network only; may be repeated", NULL },
	[DAYS_VALID] = { "days", "N", "how long it is valid (default: 730)", NULL },
	{ NULL, NULL, NULL, NULL },
};
