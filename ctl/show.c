/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/show.h"

#include <jansson.h>
#include <stdio.h>

/* Terminals obey control characters (C0, DEL, C1), so "?" stands for each in what others wrote.
 * Line ends are the service's own: in names it takes none. */
static void
defuse(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p != '\0'; p++) {
		bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0; /* in UTF-8 */

		if ((*p < 0x20 && *p != '\n') || *p == 0x7f || c1)
			*p = '?';
		if (c1)
			*++p = '?';
	}
}

static void
defuse_all(json_t *v)
{
	const char *name;
	json_t *member;
	size_t i;

	if (json_is_string(v))
		defuse((char *)(uintptr_t)json_string_value(
		    v)); /* of our own tree, as long as before */
	json_array_foreach(v, i, member) defuse_all(member);
	json_object_foreach(v, name, member) defuse_all(member);
}

static json_t *
parse(struct str json)
{
	json_t *root = json_loadb(json.p, json.n, 0, NULL);

	defuse_all(root);
	return root;
}

static const char *
text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL ? s : "-";
}

static void
line(const json_t *o, const char *label, const char *name)
{
	if (json_is_string(json_object_get(o, name)))
		printf("%-22s %s\n", label, text(o, name));
}

static void
number(const json_t *o, const char *label, const char *name)
{
	const json_t *n = json_object_get(o, name);

	if (json_is_integer(n))
		printf("%-22s %lld\n", label, (long long)json_integer_value(n));
}

bool
show_client(struct str json)
{
	json_t *root = parse(json), *c = json_object_get(root, "client");
	bool good = json_is_object(c);

	line(c, "client:", "id");
	line(c, "tenant:", "tenant");
	line(c, "subscription:", "subscription_id");
	line(c, "method:", "method");
	line(c, "proof:", "proof");
	line(c, "certificate (SHA-256):", "fingerprint");
	line(c, "  and before it:", "previous_fingerprint");
	line(c, "old proof until:", "previous_until");
	line(c, "scope:", "scope");
	line(c, "state:", "state");
	line(c, "created:", "created");
	line(c, "rotated:", "rotated");
	line(root, "secret:", "secret");
	if (json_is_string(json_object_get(root, "secret")))
		fprintf(stderr, "The secret is shown this once; hand it over on a safe way.\n");
	json_decref(root);
	return good;
}

bool
show_clients(struct str json)
{
	json_t *root = parse(json), *list = json_object_get(root, "clients"), *c;
	bool good = json_is_array(list);
	size_t i;

	if (json_array_size(list) > 0)
		printf("%-24s %-7s %-8s %-36s %s\n", "CLIENT", "METHOD", "STATE", "SUBSCRIPTION",
		    "SCOPE");
	json_array_foreach(list, i, c) printf("%-24s %-7s %-8s %-36s %s\n", text(c, "id"),
	    text(c, "method"), text(c, "state"), text(c, "subscription_id"), text(c, "scope"));
	json_decref(root);
	return good;
}

bool
show_certificates(struct str json)
{
	json_t *root = parse(json), *list = json_object_get(root, "certificates"), *c;
	bool good = json_is_array(list);
	size_t i;

	json_array_foreach(list, i, c) printf("%s  %s  until %s  %s  %s\n", text(c, "fingerprint"),
	    text(c, "state"), text(c, "not_after"), text(c, "label"), text(c, "x5u"));
	json_decref(root);
	return good;
}

bool
show_certificate(struct str json)
{
	json_t *root = parse(json);
	bool good = json_is_string(json_object_get(root, "fingerprint"));

	line(root, "fingerprint:", "fingerprint");
	json_decref(root);
	return good;
}

bool
show_status(struct str json)
{
	json_t *root = parse(json);
	const char *missing = text(root, "missing");
	const json_t *list = json_object_get(root, "list");
	const json_t *certificates = json_object_get(root, "certificates");
	bool good = json_is_integer(json_object_get(root, "clients"));

	line(root, "version:", "version");
	line(list, "federation list:", "status");
	number(list, "  version:", "version");
	number(list, "  entries:", "entries");
	line(list, "  confirmed:", "as_of");
	line(root, "VZD:", "vzd");
	number(certificates, "certificates served:", "served");
	number(certificates, "  refused:", "refused");
	line(root, "store:", "store");
	line(root, "issuer of tokens:", "issuer");
	number(root, "clients:", "clients");
	if (missing[0] != '\0')
		printf("missing:\n%s", missing);
	json_decref(root);
	return good;
}

void
show_error(struct str json)
{
	json_t *root = parse(json);
	const char *why = json_string_value(json_object_get(root, "error"));

	fprintf(stderr, "schleusectl: refused: %s\n",
	    why != NULL ? why : "the service does not say why; see its log");
	json_decref(root);
}
