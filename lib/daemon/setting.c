/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/setting.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "lib/base/fsutil.h"
#include "lib/jose/x5c.h"
#include "lib/matrix/name.h"

#define SECRET_MAX (4 << 10)

bool
setting_is_https(const char *url)
{
	const char *host = url + strlen("https://");

	if (strncmp(url, "https://", strlen("https://")) != 0 || host[strcspn(host, "@/?#")] == '@')
		return false;
	return strcspn(host, "/?#") > 0 && strpbrk(url, " <>\"\\") == NULL;
}

bool
setting_is_responder(const char *url)
{
	return setting_is_https(url) ||
	       (strncmp(url, "http://", 7) == 0 && strcspn(url + 7, "@/?#") > 0 &&
		   url[7 + strcspn(url + 7, "@/?#")] != '@');
}

bool
setting_is_host(const char *s)
{
	struct server_name name;
	struct in6_addr ip6;

	if (inet_pton(AF_INET6, s, &ip6) == 1)
		return true;
	return name_parse(str_z(s), &name) && name.port == 0 && s[0] != '[' &&
	       strchr(s, ':') == NULL;
}

bool
setting_file(struct load *l, const char *what, char *const *path, size_t max, struct str *out)
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

void
setting_pem_fault(struct load *l, const char *what, char *const *path, enum err why)
{
	if (why == ERR_FILE)
		load_fault(l, path, "%s: %s cannot be read: %s", what, *path, strerror(errno));
	else
		load_fault(l, path, "%s: %s: %s; expected a PEM file of certificates", what, *path,
		    err_text(why));
}

void
setting_private(struct load *l, bool test_mode, const char *what, char *const *path)
{
	if (!test_mode && fs_is_private(*path) != 1)
		load_fault(l, path,
		    "%s: %s can be read by others; chmod 0600 (or 0640 with the daemon's group)",
		    what, *path);
}

void
setting_admin(struct load *l, struct conf_address *admin, const char *state_dir)
{
	char text[4096];
	const char *why;

	if (admin->text == NULL) {
		if (state_dir == NULL)
			return;
		snprintf(text, sizeof(text), "unix:%s/admin.sock", state_dir);
		why = conf_address_parse(l->ctx.arena, str_z(text), NULL, admin);
		if (why != NULL)
			load_fault(l, admin, "admin: '%s': %s; set admin", text, why);
	} else if (!conf_address_is_loopback(admin)) {
		load_fault(l, admin,
		    "admin: '%s' can be reached from other machines; use a loopback address or "
		    "unix:/path",
		    admin->text);
	}
}

X509_STORE *
setting_anchors(struct load *l, struct conf_list *files)
{
	X509_STORE *store;
	enum err why = OK;

	if (files->n == 0)
		return NULL;
	/* one by one first, so that the fault names the file */
	for (size_t i = 0; i < files->n; i++) {
		if (files->v[i] == NULL)
			return NULL;
		store = x5c_anchors((const char *const *)&files->v[i], 1, &why);
		if (store == NULL) {
			setting_pem_fault(l, "anchors", &files->v[i], why);
			return NULL;
		}
		X509_STORE_free(store);
	}
	store = x5c_anchors((const char *const *)files->v, files->n, &why);
	if (store == NULL)
		load_fault(l, files, "anchors: %s", err_text(why));
	return store;
}

void
setting_ca_file(struct load *l, const char *what, char *const *path)
{
	X509_STORE *store;
	enum err why = OK;

	if (*path == NULL)
		return;
	store = x5c_anchors((const char *const *)path, 1, &why);
	if (store == NULL)
		setting_pem_fault(l, what, path, why);
	X509_STORE_free(store);
}

void
setting_secret(struct load *l, bool test_mode, const char *what, char *const *path, struct str *out)
{
	if (!setting_file(l, what, path, SECRET_MAX, out))
		return;
	setting_private(l, test_mode, what, path);
	while (out->n > 0 && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
		out->n--;
}

void
setting_wipe(struct str secret)
{
	if (secret.n > 0)
		OPENSSL_cleanse((char *)(uintptr_t)secret.p, secret.n);
}
