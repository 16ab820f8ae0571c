/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_files - what the configuration names on disk: read, judged, kept in the snapshot.
 */
#include <errno.h>
#include <openssl/crypto.h>

#include "lib/base/fsutil.h"
#include "proxy/config_check.h"

#define CERTIFICATE_MAX (256 << 10)
#define KEY_MAX (64 << 10)
#define OCSP_MAX (64 << 10)

/* The file's bytes in the arena.  The room is reserved at once, so no copy of a key stays behind in memory that was
 * outgrown; the one in use is wiped. */
static bool
read_file(struct load *l, const char *what, char *const *path, size_t max, struct str *out)
{
	struct buf b;
	bool ok = false;

	*out = STR_NONE;
	if (*path == NULL)
		return false;
	buf_init(&b, max);
	if (buf_reserve(&b, max) == NULL) {
		load_fault(l, path, "%s: out of memory", what);
	} else if (fs_read(*path, &b) != 0) {
		load_fault(l, path, "%s: %s cannot be read: %s", what, *path,
		    errno == EFBIG ? "too large" : strerror(errno));
	} else if (buf_len(&b) == 0) {
		load_fault(l, path, "%s: %s is empty", what, *path);
	} else {
		*out = arena_dup(l->ctx.arena, buf_str(&b));
		ok = out->p != NULL;
		if (!ok)
			load_fault(l, path, "%s: %s: out of memory for it", what, *path);
	}
	if (b.mem != NULL)
		OPENSSL_cleanse(b.mem, b.cap);
	buf_fini(&b);
	return ok;
}

static void
read_service(struct load *l, const struct proxy_conf *c, struct service_conf *s)
{
	read_file(l, "certificate", &s->certificate, CERTIFICATE_MAX, &s->certificate_pem);
	if (read_file(l, "key", &s->key, KEY_MAX, &s->key_pem) && !c->test_mode && fs_is_private(s->key) != 1)
		load_fault(l, &s->key, "key: %s can be read by others; chmod 0600 (or 0640 with the daemon's group)", s->key);
	read_file(l, "ocsp_file", &s->ocsp_file, OCSP_MAX, &s->ocsp_der);
}

void
config_files(struct load *l, struct proxy_conf *c)
{
	for (size_t i = 0; i < c->n_services; i++)
		read_service(l, c, &c->services[i]);
}

void
config_files_fini(struct proxy_conf *c)
{
	for (size_t i = 0; i < c->n_services; i++)
		if (c->services[i].key_pem.n > 0)
			OPENSSL_cleanse((char *)(uintptr_t)c->services[i].key_pem.p, c->services[i].key_pem.n);
	for (size_t i = 0; i < c->n_federations; i++) {
		X509_STORE_free(c->federations[i].anchors);
		snapshot_drop((struct snapshot *)c->federations[i].passports);
	}
}
