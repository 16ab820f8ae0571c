/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dnsanswer - what c-ares does not tell of a DNS message: how long it may be used (RFC 1035, 4.1;
 * RFC 2308, 5).  Pure; bytes of a peer.
 */
#ifndef SCHLEUSE_NET_DNSANSWER_H
#define SCHLEUSE_NET_DNSANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/str.h"

#define DNS_TYPE_A 1
#define DNS_TYPE_SOA 6
#define DNS_TYPE_AAAA 28
#define DNS_TYPE_SRV 33

struct dnsanswer {
	size_t n;          /* records of the wanted type in the answer section */
	bool has_ttl;      /* whether the next is known */
	uint32_t ttl;      /* s; the shortest of the answer section, aliases included */
	bool has_negative; /* an SOA record says how long "none" holds */
	uint32_t negative; /* s */
};

/* Of what is no whole DNS message (n == 0 is allowed) nothing is told. */
struct dnsanswer dnsanswer_read(struct str message, uint16_t wanted);

#endif
