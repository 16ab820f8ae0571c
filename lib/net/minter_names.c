/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which hosts there are, and which of them a CA may issue for.
 */
#include "lib/net/address.h"
#include "lib/net/minter_int.h"

#define LABEL_MAX 63
#define IPV4_SIZE 4
#define IPV6_SIZE 16

static bool
label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* *number: the label has digits only. */
static bool
label_ok(struct str label, bool *number)
{
	*number = true;
	if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		if (!label_char(label.p[i]))
			return false;
		if (label.p[i] < '0' || label.p[i] > '9')
			*number = false;
	}
	return true;
}

bool
minter_host_name(struct str name, struct minter_host *out)
{
	struct str rest = str_of(out->text, name.n), label;
	bool number, more = true;

	out->ip_size = 0;
	if (name.n == 0 || name.n > MINTER_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		out->text[i] = str_lower(name.p[i]);
	out->text[name.n] = '\0';
	while (more) {
		more = str_cut(rest, '.', &label, &rest);
		if (!label_ok(label, &number))
			return false;
	}
	return !number; /* of the last one: else it could be taken for an address */
}

bool
minter_host_any(struct str host, struct minter_host *out)
{
	struct address a;
	char text[ADDRESS_TEXT_MAX];

	if (host.n > 0 && host.p[0] != '[' && address_parse(host, 0, &a)) {
		bool v4 = a.sa.sa_family == AF_INET;

		out->ip_size = v4 ? IPV4_SIZE : IPV6_SIZE;
		memcpy(
		    out->ip, v4 ? (void *)&a.in.sin_addr : (void *)&a.in6.sin6_addr, out->ip_size);
		strcpy(out->text, address_bare(&a, text));
		return true;
	}
	if (host.n > 1 && host.p[host.n - 1] == '.')
		host.n--;
	return minter_host_name(host, out);
}

/* --- name constraints --- */

bool
minter_name_within(struct str name, struct str base)
{
	struct str end;

	if (base.n == 0)
		return true;
	if (name.n < base.n)
		return false;
	end = str_from(name, name.n - base.n);
	return str_eq_ci(end, base) && (name.n == base.n || base.p[0] == '.' || end.p[-1] == '.');
}

static bool
ip_within(const struct minter_host *h, const ASN1_OCTET_STRING *base)
{
	const unsigned char *network = ASN1_STRING_get0_data(base), *mask = network + h->ip_size;

	if ((size_t)ASN1_STRING_length(base) != 2 * h->ip_size)
		return false;
	for (size_t i = 0; i < h->ip_size; i++)
		if (((h->ip[i] ^ network[i]) & mask[i]) != 0)
			return false;
	return true;
}

/* *same: whether any of the subtrees is of the host's kind. */
static bool
in_subtrees(const STACK_OF(GENERAL_SUBTREE) *all, const struct minter_host *h, bool *same)
{
	bool within = false;

	*same = false;
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(all); i++) {
		const GENERAL_NAME *base = sk_GENERAL_SUBTREE_value(all, i)->base;

		if (base->type == GEN_DNS && h->ip_size == 0) {
			const ASN1_IA5STRING *s = base->d.dNSName;

			*same = true;
			within |= minter_name_within(
			    str_z(h->text), str_of((const char *)ASN1_STRING_get0_data(s),
						(size_t)ASN1_STRING_length(s)));
		} else if (base->type == GEN_IPADD && h->ip_size != 0) {
			*same = true;
			within |= ip_within(h, base->d.iPAddress);
		}
	}
	return within;
}

bool
minter_names_allow(const NAME_CONSTRAINTS *names, const struct minter_host *host)
{
	bool any;

	if (in_subtrees(names->excludedSubtrees, host, &any))
		return false;
	return in_subtrees(names->permittedSubtrees, host, &any) || !any;
}
