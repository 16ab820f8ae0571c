/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_body - which bytes of the stream are body.
 *
 * A call hands out at most one slice, and takes all framing before and behind it, so the end of a
 * chunked body is known with its last bytes.
 */
#include "lib/http/h1_int.h"

#define DIGITS_MAX 16
#define EXTENSION_MAX 256   /* bytes, per chunk */
#define EXTENSIONS_MAX 4096 /* bytes, all chunks together */
#define TRAILERS_MAX 8192   /* bytes, all trailer fields together */

enum state {
	DATA,    /* body bytes, b->left of them (chunk or length), or until the stream ends */
	DATA_CR, /* what must follow a chunk's data */
	DATA_LF,
	SIZE,      /* hexadecimal digits; b->line of them seen */
	EXTENSION, /* b->line bytes of it seen */
	SIZE_LF,
	LINE, /* behind the last chunk: the first byte of a trailer field or of the empty line */
	NAME, /* b->line bytes of it seen, the first of them in b->name */
	VALUE,
	VALUE_LF,
	END_LF,
	DONE,
	BROKEN,
};

void
h1_body_init(struct h1_body *b, const struct h1_head *h, uint64_t max)
{
	*b = (struct h1_body){ .framing = h->framing, .max = max, .state = DATA };
	switch (h->framing) {
	case H1_NO_BODY:
		b->state = DONE;
		break;
	case H1_LENGTH:
		b->left = h->length;
		if (h->length == 0)
			b->state = DONE;
		break;
	case H1_CHUNKED:
		b->state = SIZE;
		break;
	case H1_UNTIL_CLOSE:
		break;
	}
}

static enum state
size_digit(struct h1_body *b, char c)
{
	int digit = str_hex(c);

	if (digit >= 0) {
		if (++b->line > DIGITS_MAX)
			return BROKEN;
		b->left = b->left << 4 | (unsigned)digit;
		return SIZE;
	}
	if (b->line == 0)
		return BROKEN;
	b->line = 0;
	return c == '\r' ? SIZE_LF : c == ';' ? EXTENSION : BROKEN;
}

static enum state
extension(struct h1_body *b, char c)
{
	if (c == '\r')
		return SIZE_LF;
	if (!h1_is_blank(c) && (c < 0x21 || c > 0x7e))
		return BROKEN;
	return ++b->line > EXTENSION_MAX || ++b->meta > EXTENSIONS_MAX ? BROKEN : EXTENSION;
}

static enum state
size_end(struct h1_body *b, char c)
{
	b->line = 0;
	if (c != '\n')
		return BROKEN;
	if (b->left > 0)
		return DATA;
	b->meta = 0; /* from here on it counts trailers */
	return LINE;
}

static enum state
trailer_name(struct h1_body *b, char c)
{
	/* Some parsers act on these wherever they stand. */
	static const enum h1_field_id refused[] = { H1_F_HOST, H1_F_CONTENT_LENGTH,
		H1_F_TRANSFER_ENCODING, H1_F_CONNECTION };
	const struct h1_name *known;

	if (h1_is(c, H1_C_TOKEN)) {
		if (b->line < sizeof(b->name))
			b->name[b->line] = c;
		b->line++;
		return NAME;
	}
	if (c != ':' || b->line == 0)
		return BROKEN;
	/* A name that does not fit is longer than any of those. */
	known = b->line <= sizeof(b->name) ? h1_name_find(str_of(b->name, b->line)) : NULL;
	for (size_t i = 0; known != NULL && i < sizeof(refused) / sizeof(refused[0]); i++)
		if (known->id == refused[i])
			return BROKEN;
	return VALUE;
}

static enum state
trailer(struct h1_body *b, char c)
{
	if (++b->meta > TRAILERS_MAX)
		return BROKEN;
	if (b->state == VALUE)
		return c == '\r' ? VALUE_LF : h1_is(c, H1_C_VALUE) ? VALUE : BROKEN;
	if (b->state == NAME)
		return trailer_name(b, c);
	if (c == '\r')
		return END_LF;
	b->line = 0;
	return trailer_name(b, c);
}

/* One byte of framing. */
static enum state
step(struct h1_body *b, char c)
{
	switch ((enum state)b->state) {
	case DATA_CR:
		return c == '\r' ? DATA_LF : BROKEN;
	case DATA_LF:
		b->line = 0;
		return c == '\n' ? SIZE : BROKEN;
	case SIZE:
		return size_digit(b, c);
	case EXTENSION:
		return extension(b, c);
	case SIZE_LF:
		return size_end(b, c);
	case LINE:
	case NAME:
	case VALUE:
		return trailer(b, c);
	case VALUE_LF:
		return c == '\n' ? LINE : BROKEN;
	case END_LF:
		return c == '\n' ? DONE : BROKEN;
	case DATA:
	case DONE:
	case BROKEN:
		break;
	}
	return BROKEN;
}

static bool
too_large(const struct h1_body *b, size_t n)
{
	if (b->framing == H1_UNTIL_CLOSE)
		return b->total >= b->max && n > 0;
	return b->left > b->max - b->total;
}

static size_t
take_data(struct h1_body *b, struct str in, struct str *data)
{
	uint64_t room = b->framing == H1_UNTIL_CLOSE ? b->max - b->total : b->left;
	size_t n = in.n < room ? in.n : (size_t)room;

	*data = str_of(in.p, n);
	b->total += n;
	if (b->framing == H1_UNTIL_CLOSE)
		return n;
	b->left -= n;
	if (b->left == 0)
		b->state = b->framing == H1_CHUNKED ? DATA_CR : DONE;
	return n;
}

enum err
h1_body_decode(struct h1_body *b, struct str in, size_t *used, struct str *data)
{
	size_t at = 0;

	*used = 0;
	*data = STR_NONE;
	for (;;) {
		if (b->state == DATA) {
			if (too_large(b, in.n - at))
				return ERR_BODY_SIZE;
			if (data->n > 0 || at == in.n)
				break;
			at += take_data(b, str_from(in, at), data);
		} else {
			if (b->state == DONE || b->state == BROKEN || at == in.n)
				break;
			b->state = (int)step(b, in.p[at++]);
		}
	}
	*used = at;
	return b->state == BROKEN ? ERR_HTTP_CHUNK : OK;
}

bool
h1_body_done(const struct h1_body *b)
{
	return b->state == DONE;
}

bool
h1_body_eof(struct h1_body *b)
{
	if (b->framing == H1_UNTIL_CLOSE)
		b->state = DONE;
	return b->state == DONE;
}
