/* SPDX-License-Identifier: Apache-2.0 */
#include "regsvc/secret_pkcs11.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <stdlib.h>

#include "lib/base/fsutil.h"

#define SLOTS_MAX 64

struct token {
	CK_FUNCTION_LIST *module;
	P11KitUri *uri;
	const struct secret_source *from;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
	struct buf *out;
};

static bool
fits(const struct token *t, CK_SLOT_ID slot)
{
	CK_TOKEN_INFO info;

	return t->module->C_GetTokenInfo(slot, &info) == CKR_OK &&
	       (info.flags & CKF_TOKEN_INITIALIZED) != 0 &&
	       p11_kit_uri_match_token_info(t->uri, &info) == 1;
}

static const char *
find_slot(struct token *t)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG n = SLOTS_MAX;

	if (t->module->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK)
		return "the module does not list its slots";
	for (CK_ULONG i = 0; i < n; i++)
		if (fits(t, slots[i])) {
			t->slot = slots[i];
			return NULL;
		}
	return "the token is not there";
}

static const char *
log_in(struct token *t)
{
	struct buf pin;
	struct str s;
	CK_RV rv = CKR_FUNCTION_FAILED;

	if (t->from->pkcs11_pin_file == NULL)
		return NULL;
	buf_init(&pin, SECRET_MAX);
	if (buf_reserve(&pin, SECRET_MAX) == NULL || fs_read(t->from->pkcs11_pin_file, &pin) != 0) {
		secret_wipe(&pin);
		return "the file of the PIN cannot be read";
	}
	s = buf_str(&pin);
	while (s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
		s.n--;
	if (s.n > 0)
		rv = t->module->C_Login(
		    t->session, CKU_USER, (CK_UTF8CHAR *)(uintptr_t)s.p, (CK_ULONG)s.n);
	secret_wipe(&pin);
	if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
		return NULL;
	return rv == CKR_PIN_INCORRECT ? "the token refuses the PIN" : p11_kit_strerror((CK_RV)rv);
}

/* Exactly one object must fit: which of two is the secret, nobody can say. */
static const char *
find_object(struct token *t, CK_OBJECT_HANDLE *object)
{
	CK_ULONG n_attributes = 0, n = 0;
	CK_ATTRIBUTE *attributes = p11_kit_uri_get_attributes(t->uri, &n_attributes);
	CK_OBJECT_HANDLE found[2];
	CK_RV rv = t->module->C_FindObjectsInit(t->session, attributes, n_attributes);

	if (rv == CKR_OK)
		rv = t->module->C_FindObjects(t->session, found, 2, &n);
	t->module->C_FindObjectsFinal(t->session);
	if (rv != CKR_OK)
		return p11_kit_strerror((CK_RV)rv);
	if (n == 0)
		return "no such object; a private one needs a PIN";
	if (n > 1)
		return "several objects fit; name it with object= and type=";
	*object = found[0];
	return NULL;
}

static const char *
read_value(struct token *t, CK_OBJECT_HANDLE object)
{
	CK_ATTRIBUTE value = { CKA_VALUE, NULL, 0 };
	CK_RV rv = t->module->C_GetAttributeValue(t->session, object, &value, 1);

	if (rv == CKR_ATTRIBUTE_SENSITIVE)
		return "the object does not give its value away; it must not be sensitive";
	if (rv != CKR_OK || value.ulValueLen == CK_UNAVAILABLE_INFORMATION)
		return "the object has no value that can be read";
	if (value.ulValueLen == 0 || value.ulValueLen > SECRET_MAX)
		return "the object is empty or too large for a client secret";
	value.pValue = buf_reserve(t->out, value.ulValueLen);
	if (value.pValue == NULL)
		return "out of memory";
	rv = t->module->C_GetAttributeValue(t->session, object, &value, 1);
	if (rv != CKR_OK)
		return p11_kit_strerror((CK_RV)rv);
	buf_commit(t->out, value.ulValueLen);
	return NULL;
}

static const char *
use_session(struct token *t)
{
	CK_OBJECT_HANDLE object = 0; /* find_object() sets it or says why not */
	const char *fault;

	if (t->module->C_OpenSession(t->slot, CKF_SERIAL_SESSION, NULL, NULL, &t->session) !=
	    CKR_OK)
		return "the token gives no session";
	fault = log_in(t);
	if (fault == NULL)
		fault = find_object(t, &object);
	if (fault == NULL)
		fault = read_value(t, object);
	t->module->C_CloseSession(t->session);
	return fault;
}

static const char *
use_module(struct token *t)
{
	const char *fault;

	if (p11_kit_module_initialize(t->module) != CKR_OK)
		return "the module cannot be initialised";
	fault = find_slot(t);
	if (fault == NULL)
		fault = use_session(t);
	p11_kit_module_finalize(t->module);
	return fault;
}

const char *
secret_pkcs11(const struct secret_source *from, struct buf *out)
{
	struct token t = { .uri = p11_kit_uri_new(), .from = from, .out = out };
	const char *fault = "out of memory";

	if (t.uri == NULL)
		return fault;
	if (p11_kit_uri_parse(from->pkcs11_uri, P11_KIT_URI_FOR_ANY, t.uri) != P11_KIT_URI_OK)
		fault = "not a PKCS#11 URI";
	else if ((t.module = p11_kit_module_load(from->pkcs11_module, 0)) == NULL)
		fault = "the module cannot be loaded";
	else
		fault = use_module(&t);
	if (t.module != NULL)
		p11_kit_module_release(t.module);
	p11_kit_uri_free(t.uri);
	return fault;
}
