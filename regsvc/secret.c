/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <p11-kit/uri.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/fsutil.h"
#include "lib/base/log.h"
#include "lib/net/errand.h"
#include "regsvc/secret_pkcs11.h"

void
secret_wipe(struct buf *b)
{
	if (b->mem != NULL)
		OPENSSL_cleanse(b->mem, b->cap);
	buf_fini(b);
}

char *
secret_credential_path(const char *name)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	size_t n = folder != NULL ? strlen(folder) + strlen(name) + 2 : 0;
	char *path = n > 0 ? malloc(n) : NULL;

	if (path != NULL)
		snprintf(path, n, "%s/%s", folder, name);
	return path;
}

const char *
secret_uri_fault(const char *uri)
{
	P11KitUri *u = p11_kit_uri_new();
	const char *fault = NULL;

	if (u == NULL)
		return "out of memory";
	if (p11_kit_uri_parse(uri, P11_KIT_URI_FOR_ANY, u) != P11_KIT_URI_OK ||
	    p11_kit_uri_any_unrecognized(u))
		fault = "is not a PKCS#11 URI (RFC 7512), such as pkcs11:token=vzd;object=secret";
	else if (p11_kit_uri_get_pin_value(u) != NULL)
		fault = "has a pin-value; put the PIN into a file and name it in pkcs11_pin_file";
	p11_kit_uri_free(u);
	return fault;
}

static enum err
read_file(const char *path, struct buf *out)
{
	struct str s;

	/* the room for all of it at once: a buffer that grows leaves copies behind */
	if (buf_reserve(out, SECRET_MAX) == NULL)
		return ERR_MEMORY;
	if (fs_read(path, out) != 0) {
		log_error("vzd: the client secret in %s cannot be read: %s", path,
		    errno == EFBIG ? "too large" : strerror(errno));
		return ERR_SECRET;
	}
	for (s = buf_str(out); s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'); s.n--)
		out->end--;
	if (buf_len(out) > 0)
		return OK;
	log_error("vzd: the client secret in %s is empty", path);
	return ERR_SECRET;
}

static enum err
read_credential(const char *name, struct buf *out)
{
	char *path = secret_credential_path(name);
	enum err err = ERR_SECRET;

	if (path == NULL)
		log_error("vzd: no systemd credentials here; the unit needs "
			  "LoadCredential=%s:FILE",
		    name);
	else
		err = read_file(path, out);
	free(path);
	return err;
}

static enum err
read_token(const struct secret_source *from, struct buf *out)
{
	const char *fault;

	if (buf_reserve(out, SECRET_MAX) == NULL)
		return ERR_MEMORY;
	fault = secret_pkcs11(from, out);
	if (fault == NULL)
		return OK;
	log_error("vzd: the client secret cannot be read from the token: %s: %s; check "
		  "client_secret_uri, pkcs11_module and pkcs11_pin_file",
	    from->pkcs11_uri, fault);
	return ERR_SECRET;
}

enum err
secret_read(const struct secret_source *from, struct buf *out)
{
	if (from->file != NULL)
		return read_file(from->file, out);
	if (from->credential != NULL)
		return read_credential(from->credential, out);
	return read_token(from, out);
}

/* --- on a thread of its own --- */

struct secret_errand {
	struct errand *errand;
	const struct secret_source *from;
	struct buf secret;
	enum err err;
	secret_fn *fn;
	void *arg;
};

static void
run_errand(void *arg)
{
	struct secret_errand *e = arg;

	e->err = secret_read(e->from, &e->secret);
}

static void
on_read(void *arg)
{
	struct secret_errand *e = arg;

	e->fn(e->arg, e->err, e->err == OK ? buf_str(&e->secret) : STR_NONE);
	secret_wipe(&e->secret);
	free(e);
}

struct secret_errand *
secret_start(struct loop *loop, const struct secret_source *from, secret_fn *fn, void *arg)
{
	struct secret_errand *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->from = from;
	e->fn = fn;
	e->arg = arg;
	buf_init(&e->secret, SECRET_MAX);
	e->errand = errand_start(loop, "secret", run_errand, on_read, e);
	if (e->errand != NULL)
		return e;
	free(e);
	return NULL;
}

void
secret_cancel(struct secret_errand *e)
{
	if (e == NULL)
		return;
	errand_cancel(e->errand);
	secret_wipe(&e->secret);
	free(e);
}
