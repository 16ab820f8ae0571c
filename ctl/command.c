/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/command.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/ask.h"
#include "ctl/show.h"
#include "lib/base/fsutil.h"
#include "lib/conf/option.h"

#define FILE_MAX (256 << 10)
#define PATH_MAX_BYTES 256

struct command {
	const char *noun, *verb; /* verb NULL: the noun alone */
	bool named;              /* takes one more word */
	const char *name_help;
	int (*run)(const struct options *o, const char *name);
};

/* --- asking --- */

static int
finish(const struct options *o, const char *method, const char *path, json_t *body,
    bool (*show)(struct str json))
{
	char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	struct answer a;
	int status = EXIT_UNREACHABLE;

	json_decref(body);
	if (ask(o->socket, method, path, str_z(text), &a)) {
		status = a.status < 300 ? EXIT_DONE : EXIT_REFUSED;
		if (o->json)
			printf(STR_FMT "\n", STR_ARG(a.body));
		if (status != EXIT_DONE)
			show_error(a.body);
		else if (!o->json && !show(a.body)) {
			fprintf(stderr, "schleusectl: the answer is not understood; is "
					"schleuse-regsvc of the same version?\n");
			status = EXIT_REFUSED;
		}
	}
	answer_fini(&a);
	free(text);
	return status;
}

/* A name becomes a segment of a path: what would not be one is refused here. */
static bool
is_segment(const char *name)
{
	return name[0] != '\0' && strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz"
					       "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-") == strlen(name);
}

static int
about(const struct options *o, const char *method, const char *collection, const char *name,
    const char *verb, json_t *body, bool (*show)(struct str json))
{
	char path[PATH_MAX_BYTES];

	if (is_segment(name) && strlen(name) < PATH_MAX_BYTES / 2) {
		snprintf(path, sizeof(path), "/%s/%s%s", collection, name, verb);
		return finish(o, method, path, body, show);
	}
	json_decref(body);
	fprintf(stderr, "schleusectl: '%s' is no name: letters, digits, '.', '_' and '-'\n", name);
	return EXIT_USAGE;
}

static void
put(json_t *o, const char *name, const char *value)
{
	if (value != NULL)
		json_object_set_new(o, name, json_string(value));
}

/* --- files --- */

static bool
read_file(const char *path, struct buf *out)
{
	buf_init(out, FILE_MAX);
	if (fs_read(path, out) == 0)
		return true;
	fprintf(stderr, "schleusectl: cannot read %s: %s\n", path, strerror(errno));
	buf_fini(out);
	return false;
}

/* The SHA-256 of the first certificate in a PEM file. */
static bool
put_fingerprint(json_t *o, const char *path)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1];
	X509 *x = NULL;
	struct buf pem;
	unsigned n = 0;
	BIO *bio;

	if (path == NULL)
		return true;
	if (!read_file(path, &pem))
		return false;
	bio = BIO_new_mem_buf(buf_str(&pem).p, (int)buf_len(&pem));
	if (bio != NULL)
		x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	buf_fini(&pem);
	if (x != NULL && X509_digest(x, EVP_sha256(), digest, &n) == 1)
		put(o, "fingerprint", sodium_bin2hex(hex, sizeof(hex), digest, n));
	else
		fprintf(stderr, "schleusectl: %s holds no certificate in PEM\n", path);
	X509_free(x);
	return n > 0;
}

/* --- clients --- */

static bool
put_grace(json_t *o, const char *text)
{
	static const struct conf_option row = { "grace", CONF_DURATION, { 0, sizeof(uint64_t) },
		NULL, 0, UINT64_C(30) * 24 * 3600 * 1000, CONF_RELOAD, "", NULL, NULL, 0,
		{ 0, 0 } };
	struct conf_context c = { 0 };
	uint64_t ms = 0;

	if (text == NULL)
		return true;
	if (!conf_value_set(&c, &row, CONF_DURATION, str_z(text), &ms)) {
		fprintf(stderr, "schleusectl: --grace: %s\n", c.why);
		return false;
	}
	json_object_set_new(o, "grace", json_integer((json_int_t)(ms / 1000)));
	return true;
}

static int
client_add(const struct options *o, const char *id)
{
	json_t *body = json_object();
	char *scope = o->scope != NULL ? strdup(o->scope) : NULL;

	for (char *p = scope; p != NULL && *p != '\0'; p++)
		if (*p == ',')
			*p = ' ';
	put(body, "id", id);
	put(body, "tenant", o->tenant);
	put(body, "method", o->method);
	put(body, "scope", scope);
	put(body, "subscription_id", o->subscription);
	free(scope);
	if (o->tenant == NULL || o->method == NULL || o->scope == NULL) {
		fprintf(stderr, "schleusectl: client add needs --tenant, --method and --scope\n");
		json_decref(body);
		return EXIT_USAGE;
	}
	if (!put_fingerprint(body, o->certificate)) {
		json_decref(body);
		return EXIT_USAGE;
	}
	return finish(o, "POST", "/clients", body, show_client);
}

static int
client_list(const struct options *o, const char *name)
{
	(void)name;
	return finish(o, "GET", "/clients", NULL, show_clients);
}

static int
client_show(const struct options *o, const char *id)
{
	return about(o, "GET", "clients", id, "", NULL, show_client);
}

static int
client_rotate(const struct options *o, const char *id)
{
	json_t *body = json_object();

	if (put_grace(body, o->grace) && put_fingerprint(body, o->certificate))
		return about(o, "POST", "clients", id, "/rotate", body, show_client);
	json_decref(body);
	return EXIT_USAGE;
}

static int
client_revoke(const struct options *o, const char *id)
{
	return about(o, "POST", "clients", id, "/revoke", NULL, show_client);
}

/* --- PASSporT certificates --- */

static const char *
name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static int
certificate_add(const struct options *o, const char *path)
{
	json_t *body;
	struct buf pem;

	if (!read_file(path, &pem))
		return EXIT_USAGE;
	body = json_object();
	json_object_set_new(body, "pem", json_stringn(buf_str(&pem).p, buf_str(&pem).n));
	buf_fini(&pem);
	put(body, "x5u", o->x5u);
	put(body, "label", o->label != NULL ? o->label : name_of(path));
	return finish(o, "POST", "/certificates", body, show_certificate);
}

static int
certificate_list(const struct options *o, const char *name)
{
	(void)name;
	return finish(o, "GET", "/certificates", NULL, show_certificates);
}

static int
certificate_remove(const struct options *o, const char *fingerprint)
{
	return about(o, "POST", "certificates", fingerprint, "/remove", NULL, show_certificate);
}

/* --- the service --- */

static int
status(const struct options *o, const char *name)
{
	(void)name;
	return finish(o, "GET", "/status", NULL, show_status);
}

static const struct command commands[] = {
	{ "client", "add", true, "the client's id", client_add },
	{ "client", "list", false, NULL, client_list },
	{ "client", "show", true, "the client's id", client_show },
	{ "client", "rotate", true, "the client's id", client_rotate },
	{ "client", "revoke", true, "the client's id", client_revoke },
	{ "certificate", "add", true, "a PEM file", certificate_add },
	{ "certificate", "list", false, NULL, certificate_list },
	{ "certificate", "remove", true, "a fingerprint", certificate_remove },
	{ "status", NULL, false, NULL, status },
};

int
command_run(const struct options *o, int n, char **words)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];
		int used = c->verb != NULL ? 2 : 1;

		if (n < used || strcmp(words[0], c->noun) != 0 ||
		    (c->verb != NULL && strcmp(words[1], c->verb) != 0))
			continue;
		if (n - used == (c->named ? 1 : 0))
			return c->run(o, c->named ? words[used] : NULL);
		fprintf(stderr, "schleusectl: %s%s%s takes %s%s\n", c->noun,
		    c->verb != NULL ? " " : "", c->verb != NULL ? c->verb : "",
		    c->named ? c->name_help : "no more words",
		    c->named ? " and no more words" : "");
		return EXIT_USAGE;
	}
	fprintf(stderr, "schleusectl: no such command; see schleusectl --help\n");
	return EXIT_USAGE;
}
