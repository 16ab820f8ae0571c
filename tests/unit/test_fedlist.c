/* SPDX-License-Identifier: Apache-2.0 */
/* FD-5.2.1.2-11/-12, FD-5.2.2-16/-18, O-4. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/federation/fedlist.h"

#define HEX_ORG "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b5"
#define B64_ORG "v6vDdDKViwYzYNOtZGHJxHNa5/jt1GWSpeDwFFKy5LU"
#define B64URL_ORG "v6vDdDKViwYzYNOtZGHJxHNa5_jt1GWSpeDwFFKy5LU"

static const struct fedlist_limits limits = { .max_entries = 200000 };

static enum err
parse(const char *text, struct fedlist **out)
{
	return fedlist_parse(str_z(text), &limits, out);
}

static void
drop(struct fedlist *l)
{
	snapshot_drop((struct snapshot *)l);
}

/* The list that must be readable. */
static struct fedlist *
list(const char *text)
{
	struct fedlist *l;

	cr_assert_eq(parse(text, &l), OK, "%s", text);
	return l;
}

static struct fedlist *
list_of(const char *entries)
{
	char *text;
	struct fedlist *l;

	cr_assert(asprintf(&text, "{\"version\":1,\"domainList\":[%s]}", entries) > 0);
	l = list(text);
	free(text);
	return l;
}

static bool
entry_names(const char *entry, const char *name)
{
	struct fedlist *l = list_of(entry);
	bool has = fedlist_has(l, str_z(name), FEDLIST_PORTS_EXACT);

	drop(l);
	return has;
}

static void
refuses(const char *text)
{
	struct fedlist *l;

	cr_assert_eq(parse(text, &l), ERR_FEDLIST_SHAPE, "%s", text);
	cr_assert(l == NULL);
}

#define EXACT FEDLIST_PORTS_EXACT

Test(fedlist, reads_the_current_form)
{
	struct fedlist *l = list("{ \"version\": 1651, \"domainList\": [\n"
				 "{ \"domain\": \"tim.praxis.example.org\", \"telematikID\": "
				 "\"1-EXAMPLE-0001\", \"timAnbieter\": "
				 "\"ORG-0000:BT-0000\", \"isInsurance\": false },\n"
				 "{ \"domain\": \"tim.klinik.example.org\", \"telematikID\": "
				 "\"5-EXAMPLE-0002\", \"timAnbieter\": "
				 "null, \"isInsurance\": false },\n"
				 "{ \"domain\": \"versicherte.example.org\", \"telematikID\": "
				 "\"8-EXAMPLE-0003\", \"isInsurance\": "
				 "true, \"ik\": [\"109500969\"] } ] }\n");

	cr_assert_eq(fedlist_version(l), 1651);
	cr_assert_eq(fedlist_count(l), 3);
	cr_assert_eq(fedlist_skipped(l), 0);
	cr_assert_eq(fedlist_not_after(l), 0);
	cr_assert_eq(fedlist_not_before(l), 0);
	cr_assert(fedlist_has(l, STR("tim.praxis.example.org"), EXACT));
	cr_assert(fedlist_has(l, STR("tim.klinik.example.org"), EXACT));
	cr_assert(fedlist_has(l, STR("versicherte.example.org"), EXACT));
	cr_assert_not(fedlist_has(l, STR("example.org"), EXACT));
	cr_assert_not(fedlist_has(l, STR("x.tim.praxis.example.org"), EXACT));
	cr_assert_not(fedlist_has(l, STR(""), EXACT));
	cr_assert(fedlist_is_insurance(l, STR("versicherte.example.org"), EXACT));
	cr_assert_not(fedlist_is_insurance(l, STR("tim.praxis.example.org"), EXACT));
	cr_assert_not(fedlist_is_insurance(l, STR("unknown.example.org"), EXACT));
	drop(l);
}

Test(fedlist, reads_the_hashed_forms)
{
	struct fedlist *l =
	    list("{ \"version\": 42, \"hashAlgorithm\": \"SHA-256\", \"domainList\": ["
		 "\"50e1ba88d9667f742712ce9f7be20e941433dc13b2deecb7ce43c2b68d3f0519\","
		 "\"ea9e7dd77bfd3ea4f203af5e4cba80c8a81b25a19fc7d5cffd59602a37cf576b\"] }");

	cr_assert_eq(fedlist_count(l), 2);
	cr_assert(fedlist_has(l, STR("tim.praxis.example.org"), EXACT));
	cr_assert(fedlist_has(l, STR("tim.klinik.example.org"), EXACT));
	cr_assert_not(fedlist_has(l, STR("versicherte.example.org"), EXACT));
	drop(l);
	l = list(
	    "{ \"version\": 43, \"hashAlgorithm\": \"sha256\", \"domainList\": ["
	    "{ \"domain\": \"50e1ba88d9667f742712ce9f7be20e941433dc13b2deecb7ce43c2b68d3f0519\", "
	    "\"telematikID\": \"1-EXAMPLE-0001\", \"isInsurance\": false },"
	    "{ \"domain\": \"7a541d11fc3eccb24d22a29c5caf11edfd2e068480fe151cef71defff4c8b821\", "
	    "\"telematikID\": \"8-EXAMPLE-0003\", \"isInsurance\": true } ] }");
	cr_assert(fedlist_has(l, STR("tim.praxis.example.org"), EXACT));
	cr_assert(fedlist_is_insurance(l, STR("versicherte.example.org"), EXACT));
	drop(l);
}

Test(fedlist, tells_the_encoding_of_each_entry)
{
	cr_assert(entry_names("\"" HEX_ORG "\"", "example.org"));
	cr_assert(entry_names(
	    "\"BFABC37432958B063360D3AD6461C9C4735AE7F8EDD46592A5E0F01452B2E4B5\"", "example.org"));
	cr_assert(entry_names("\"" B64_ORG "=\"", "example.org"));
	cr_assert(entry_names("\"" B64_ORG "\"", "example.org"));
	cr_assert(entry_names("\"v6vDdDKViwYzYNOtZGHJxHNa5\\/jt1GWSpeDwFFKy5LU=\"", "example.org"));
	cr_assert(entry_names("\"" B64URL_ORG "\"", "example.org"));
	cr_assert(entry_names("\"" B64URL_ORG "=\"", "example.org"));
	cr_assert(entry_names("\"example.org\"", "example.org"));
	cr_assert(entry_names("{\"domain\":\"example.org\"},\"" HEX_ORG "\"", "example.org"));
	/* 43 and 64 characters with dots are names */
	cr_assert(entry_names("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.org\"",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.org"));
	cr_assert(
	    entry_names("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.de\"",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.de"));
	/* the hash itself is not a name of the list */
	cr_assert_not(entry_names("\"" HEX_ORG "\"", HEX_ORG));
}

Test(fedlist, ignores_what_it_does_not_know)
{
	cr_assert(
	    entry_names("{\"iks\":[109500969,\"1\"],\"new\":{\"domain\":\"x.org\",\"a\":[[],{}]},"
			"\"domain\":\"example.org\",\"timProvider\":null,\"isInsurance\":null}",
		"example.org"));
	cr_assert_not(
	    entry_names("{\"new\":{\"domain\":\"x.org\"},\"domain\":\"example.org\"}", "x.org"));
	drop(list("{\"extra\":-1.5e+3,\"domainList\":[],\"more\":\"\\ud83d\\ude00\xc3\xa4\","
		  "\"version\":0}"));
}

Test(fedlist, compares_names_in_their_normal_form)
{
	cr_assert(entry_names("\"Example.ORG\"", "example.org"));
	cr_assert(entry_names("\"example.org.\"", "example.org"));
	cr_assert(entry_names("\"example.org\"", "EXAMPLE.org."));
	cr_assert(entry_names("\"" HEX_ORG "\"", "Example.Org."));
	cr_assert(entry_names("\"example.org:08448\"", "example.org:8448"));
	cr_assert(entry_names("\"exa\\u006dple.org\"", "example.org"));
}

Test(fedlist, minds_ports_as_told)
{
	struct fedlist *l =
	    list_of("\"host.org\",\"with.org:8448\",\"" HEX_ORG "\",\"[::1]\",\"10.0.0.1\"");

	cr_assert(fedlist_has(l, STR("with.org:8448"), EXACT));
	cr_assert_not(fedlist_has(l, STR("with.org"), EXACT));
	cr_assert_not(fedlist_has(l, STR("with.org:443"), EXACT));
	cr_assert_not(fedlist_has(l, STR("host.org:8448"), EXACT));
	cr_assert_not(fedlist_has(l, STR("example.org:8448"), EXACT));
	cr_assert_not(fedlist_has(l, STR("[::1]:8448"), EXACT));

	cr_assert(fedlist_has(l, STR("host.org:8448"), FEDLIST_PORTS_ANY));
	cr_assert(fedlist_has(l, STR("HOST.org.:8448"), FEDLIST_PORTS_ANY));
	cr_assert(
	    fedlist_has(l, STR("example.org:8448"), FEDLIST_PORTS_ANY), "hashed without port");
	cr_assert(fedlist_has(l, STR("[::1]:8448"), FEDLIST_PORTS_ANY));
	cr_assert(fedlist_has(l, STR("10.0.0.1:8448"), FEDLIST_PORTS_ANY));
	cr_assert_not(fedlist_has(l, STR("with.org"), FEDLIST_PORTS_ANY));
	cr_assert_not(fedlist_has(l, STR("with.org:443"), FEDLIST_PORTS_ANY));
	cr_assert_not(fedlist_has(l, STR("other.org:8448"), FEDLIST_PORTS_ANY));
	drop(l);
}

Test(fedlist, skips_and_counts_entries_that_are_no_names)
{
	struct fedlist *l = list_of(
	    "\"\",\"a "
	    "b\",\"http://example.org\",{\"domain\":\"_\"},\"example.org\",\"\xc3\xa4.de\"");

	cr_assert_eq(fedlist_count(l), 1);
	cr_assert_eq(fedlist_skipped(l), 5);
	cr_assert(fedlist_has(l, STR("example.org"), EXACT));
	cr_assert_not(fedlist_has(l, STR("a b"), EXACT));
	drop(l);
}

Test(fedlist, skips_an_escaped_text_too_long_for_a_name)
{
	char entry[4096] = "\"\\u0061";
	struct fedlist *l;

	memset(entry + 7, 'a', 3000);
	entry[3007] = '"';
	l = list_of(entry);
	cr_assert_eq(fedlist_count(l), 0);
	cr_assert_eq(fedlist_skipped(l), 1);
	drop(l);
}

Test(fedlist, counts_an_entry_once)
{
	struct fedlist *l = list_of(
	    "\"example.org\",{\"domain\":\"EXAMPLE.org\",\"isInsurance\":true},\"" B64_ORG "\"");

	cr_assert_eq(fedlist_count(l), 1);
	cr_assert(fedlist_is_insurance(l, STR("example.org"), EXACT));
	drop(l);
}

Test(fedlist, remembers_its_dates)
{
	struct fedlist *l =
	    list("{\"iat\":1700000000.25,\"exp\":1702592000,\"version\":1,\"domainList\":[]}");

	cr_assert_eq(fedlist_not_before(l), 1700000000);
	cr_assert_eq(fedlist_not_after(l), 1702592000);
	drop(l);
	refuses("{\"iat\":\"1700000000\",\"version\":1,\"domainList\":[]}");
	refuses("{\"exp\":1e9,\"version\":1,\"domainList\":[]}");
	refuses("{\"exp\":-1,\"version\":1,\"domainList\":[]}");
}

Test(fedlist, refuses_other_forms)
{
	refuses("");
	refuses("[]");
	refuses("{}");
	refuses("{\"version\":1}");
	refuses("{\"domainList\":[]}");
	refuses("{\"version\":\"1\",\"domainList\":[]}");
	refuses("{\"version\":1.0,\"domainList\":[]}");
	refuses("{\"version\":1e3,\"domainList\":[]}");
	refuses("{\"version\":-1,\"domainList\":[]}");
	refuses("{\"version\":01,\"domainList\":[]}");
	refuses("{\"version\":9223372036854775808,\"domainList\":[]}");
	refuses("{\"version\":null,\"domainList\":[]}");
	refuses("{\"version\":1,\"domainList\":{}}");
	refuses("{\"version\":1,\"domainList\":null}");
	refuses("{\"version\":1,\"domainList\":[1]}");
	refuses("{\"version\":1,\"domainList\":[null]}");
	refuses("{\"version\":1,\"domainList\":[[\"example.org\"]]}");
	refuses("{\"version\":1,\"domainList\":[{}]}");
	refuses("{\"version\":1,\"domainList\":[{\"domain\":1}]}");
	refuses("{\"version\":1,\"domainList\":[{\"domain\":\"a.org\",\"isInsurance\":\"true\"}]}");
	refuses("{\"version\":1,\"domainList\":[],\"hashAlgorithm\":\"SHA-512\"}");
	refuses("{\"version\":1,\"domainList\":[],\"hashAlgorithm\":1}");
}

Test(fedlist, refuses_repeated_members)
{
	refuses("{\"version\":1,\"version\":2,\"domainList\":[]}");
	refuses("{\"version\":1,\"\\u0076ersion\":2,\"domainList\":[]}");
	refuses("{\"version\":1,\"domainList\":[],\"domainList\":[\"example.org\"]}");
	refuses("{\"version\":1,\"exp\":1,\"exp\":2,\"domainList\":[]}");
	refuses("{\"version\":1,\"domainList\":[{\"domain\":\"a.org\",\"domain\":\"b.org\"}]}");
	refuses("{\"version\":1,\"domainList\":[{\"domain\":\"a.org\",\"isInsurance\":true,"
		"\"isInsurance\":false}]}");
}

Test(fedlist, refuses_what_is_not_json)
{
	static const char *const values[] = {
		"",
		",",
		"nul",
		"tru",
		"falsey",
		"+1",
		"01",
		"1.",
		".5",
		"-",
		"1e",
		"1e+",
		"0x1",
		"NaN",
		"'a'",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\u12g4\"",
		"\"\\ud800\"",
		"\"\\ud800\\u0041\"",
		"\"\\udc00\"",
		"\"\t\"",
		"\"\n\"",
		"\"\x80\"",
		"\"\xc0\x80\"",
		"\"\xc1\xbf\"",
		"\"\xe0\x80\x80\"",
		"\"\xed\xa0\x80\"",
		"\"\xf0\x80\x80\x80\"",
		"\"\xf4\x90\x80\x80\"",
		"\"\xf5\x80\x80\x80\"",
		"\"\xe2\x82\"",
		"\"\xff\"",
		"[1,]",
		"[,1]",
		"[1 2]",
		"[1",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{a:1}",
		"{1:1}",
		"{\"a\":1 \"b\":2}",
		"{\"a\",1}",
		"[}",
		"{]",
		"\"",
		"\"\\\"",
		"\"\\",
		"/**/1",
		"1//",
		"1 1",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char *text;

		cr_assert(
		    asprintf(&text, "{\"version\":1,\"domainList\":[],\"x\":%s}", values[i]) > 0);
		refuses(text);
		free(text);
	}
	refuses("\xef\xbb\xbf{\"version\":1,\"domainList\":[]}");
	refuses("{\"version\":1,\"domainList\":[]}x");
	refuses("{\"version\":1,\"domainList\":[]}{}");
}

Test(fedlist, refuses_bytes_behind_a_nul)
{
	struct fedlist *l;

	cr_assert_eq(fedlist_parse(STR("{\"version\":1,\"domainList\":[]}\0"), &limits, &l),
	    ERR_FEDLIST_SHAPE);
	cr_assert_eq(fedlist_parse(STR("{\"version\":1,\0\"domainList\":[]}"), &limits, &l),
	    ERR_FEDLIST_SHAPE);
}

Test(fedlist, bounds_the_depth)
{
	char text[4096];

	for (int depth = 16; depth <= 64; depth += 48) {
		struct fedlist *l;
		size_t n = (size_t)sprintf(text, "{\"version\":1,\"domainList\":[],\"x\":");

		memset(text + n, '[', (size_t)depth);
		memset(text + n + depth, ']', (size_t)depth);
		strcpy(text + n + 2 * depth, "}");
		cr_assert_eq(parse(text, &l), depth == 16 ? OK : ERR_FEDLIST_SHAPE);
		drop(l);
	}
}

Test(fedlist, refuses_a_text_cut_at_any_byte)
{
	static const char text[] =
	    "{\"version\":17,\"x\":[1.5e3,true,null,\"\\u00e4\\ud83d\\ude00\"],\"domainList\":"
	    "[\"a.org\",{\"domain\":\"b.org\",\"isInsurance\":false}],\"exp\":1}";

	drop(list(text));
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		/* from the heap, so that reading past the end is noticed */
		char *part = malloc(n + 1);
		struct fedlist *l;

		memcpy(part, text, n);
		part = realloc(part, n > 0 ? n : 1);
		cr_assert_eq(
		    fedlist_parse(str_of(part, n), &limits, &l), ERR_FEDLIST_SHAPE, "at %zu", n);
		free(part);
	}
}

Test(fedlist, bounds_the_number_of_entries)
{
	struct fedlist_limits two = { .max_entries = 2 };
	struct fedlist *l;

	cr_assert_eq(
	    fedlist_parse(STR("{\"version\":1,\"domainList\":[\"a.org\",\"b.org\"]}"), &two, &l),
	    OK);
	drop(l);
	cr_assert_eq(
	    fedlist_parse(
		STR("{\"version\":1,\"domainList\":[\"a.org\",\"b.org\",\"c.org\"]}"), &two, &l),
	    ERR_FEDLIST_SIZE);
	cr_assert_eq(
	    fedlist_parse(STR("{\"version\":1,\"domainList\":[\"\",\"\",\"\"]}"), &two, &l),
	    ERR_FEDLIST_SIZE, "skipped ones are bounded, too");
}

#define MANY 100000

static char *
many(bool hashed, size_t *n)
{
	char *text = malloc(MANY * 80 + 100);

	*n = (size_t)sprintf(text, "{\"version\":1,\"domainList\":[");
	for (int i = 0; i < MANY; i++) {
		unsigned char digest[32];
		char name[64], hex[65];

		snprintf(name, sizeof(name), "server%d.example.org", i);
		crypto_hash_sha256(digest, (unsigned char *)name, strlen(name));
		sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
		*n += (size_t)sprintf(text + *n, "%s\"%s\"", i > 0 ? "," : "", hashed ? hex : name);
	}
	*n += (size_t)sprintf(text + *n, "]}");
	return text;
}

static void
finds_exactly_the_listed(bool hashed)
{
	size_t n;
	char *text = many(hashed, &n);
	struct fedlist *l;

	cr_assert_eq(fedlist_parse(str_of(text, n), &limits, &l), OK);
	free(text);
	cr_assert_eq(fedlist_count(l), MANY);
	for (int i = 0; i < MANY; i++) {
		char name[64];

		snprintf(name, sizeof(name), "server%d.example.org", i);
		cr_assert(fedlist_has(l, str_z(name), EXACT), "%s", name);
		snprintf(name, sizeof(name), "stranger%d.example.org", i);
		cr_assert_not(fedlist_has(l, str_z(name), EXACT), "%s", name);
	}
	drop(l);
}

Test(fedlist, finds_each_of_many_names)
{
	finds_exactly_the_listed(false);
}

Test(fedlist, finds_each_of_many_hashes)
{
	finds_exactly_the_listed(true);
}

/* Digests made to mislead the guess: all but a few share their first bytes. */
Test(fedlist, finds_entries_among_digests_that_are_not_uniform)
{
	char *text = malloc(3000 * 70 + 200);
	size_t n = (size_t)sprintf(text, "{\"version\":1,\"domainList\":[\"%s\"", HEX_ORG);
	struct fedlist *l;

	for (int i = 0; i < 3000; i++)
		n += (size_t)sprintf(text + n, ",\"bfabc37432958b06%048d\"", i);
	sprintf(text + n, ",\"%064d\"]}", 0);
	l = list(text);
	free(text);
	cr_assert_eq(fedlist_count(l), 3002);
	cr_assert(fedlist_has(l, STR("example.org"), EXACT));
	cr_assert_not(fedlist_has(l, STR("tim.praxis.example.org"), EXACT));
	drop(l);
}
