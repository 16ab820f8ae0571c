/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_frames - how the parser frames a stream of bytes, for comparison with other parsers
 * (tests/fuzz/differ.py).
 *
 * Reads inputs from stdin, each a letter (q: requests, p: answer to GET, h: answer to HEAD), its
 * length in 4 bytes, least first, and the bytes.  Writes one line of JSON for each: the messages as
 * a connection of ours would take them, how many bytes the whole ones have, and what comes then:
 * "more", "closed" or "refused".
 *
 * Every input is also taken in other pieces, byte by byte among them; a difference ends the
 * program.  Only the reason of a refusal may depend on the pieces: some can be told from the
 * beginning of a head.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/http/h1.h"

#define OUT_MAX (1 << 26)

static const struct h1_limits limits = { .head_max = 8192, .target_max = 1024, .fields_max = 64 };

struct frames {
	char kind;
	struct str in;  /* all of it */
	size_t at, end; /* taken, arrived */
	size_t scanned, messages, taken;
	struct arena arena;
	struct h1_head head;
	struct h1_body body;
	bool in_body, closed;
	struct buf content; /* of the body */
	struct buf out;
};

static void
put(struct frames *f, struct str s)
{
	if (!buf_put(&f->out, s))
		abort();
}

static void
put_hex(struct frames *f, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!buf_printf(&f->out, "%02x", (unsigned char)s.p[i]))
			abort();
}

static void
put_text(struct frames *f, const char *before, struct str s)
{
	put(f, str_z(before));
	put_hex(f, s);
	put(f, STR("\""));
}

static void
begin_message(struct frames *f)
{
	const struct h1_head *h = &f->head;

	put(f, f->messages++ > 0 ? STR(",{") : STR("{"));
	if (!buf_printf(&f->out, "\"status\":%d,\"minor\":%d", h->status, h->minor))
		abort();
	put_text(f, ",\"method\":\"", h->method_text);
	put_text(f, ",\"authority\":\"", h->authority);
	put_text(f, ",\"target\":\"", h->target);
	put(f, STR(",\"fields\":["));
	for (size_t i = 0; i < h->n_fields; i++) {
		put_text(f, i > 0 ? ",[\"" : "[\"", h->fields[i].name);
		put_text(f, ",\"", h->fields[i].value);
		put(f, STR("]"));
	}
	put(f, STR("],\"body\":\""));
	h1_body_init(&f->body, h, UINT64_MAX);
	buf_init(&f->content, OUT_MAX);
	f->in_body = true;
}

/* Of a body that is refused it depends on the pieces how much was handed out before. */
static void
end_message(struct frames *f, bool whole, enum err err)
{
	if (err == OK)
		put_hex(f, buf_str(&f->content));
	buf_fini(&f->content);
	put(f, whole ? STR("\",\"whole\":true}") : STR("\",\"whole\":false}"));
	f->in_body = false;
	f->scanned = 0;
	if (whole)
		f->taken = f->at;
	f->closed = f->kind == 'q' ? !f->head.keep_alive : f->head.status >= 200;
	arena_fini(&f->arena);
}

static enum err
parse(struct frames *f, struct str head)
{
	if (f->kind == 'q')
		return h1_parse_request(&f->arena, head, &limits, &f->head);
	return h1_parse_response(
	    &f->arena, head, &limits, f->kind == 'h' ? H1_HEAD : H1_GET, &f->head);
}

/* One head, if it is there. */
static enum err
take_head(struct frames *f, bool *more)
{
	struct str in = str_of(f->in.p + f->at, f->end - f->at);
	size_t n = in.n > 0 ? h1_head_end(in, &f->scanned) : 0;
	enum err err;

	*more = n == 0;
	if (n == 0)
		return f->kind == 'q' ? h1_head_early(in, &limits) : OK;
	arena_init(&f->arena, 1 << 20);
	err = parse(f, str_of(in.p, n));
	if (err == OK) {
		f->at += n;
		begin_message(f);
	} else {
		arena_fini(&f->arena);
	}
	return err;
}

static enum err
take_body(struct frames *f, bool *more)
{
	struct str data;
	size_t used;
	enum err err;

	do {
		err =
		    h1_body_decode(&f->body, str_of(f->in.p + f->at, f->end - f->at), &used, &data);
		if (err != OK) {
			end_message(f, false, err);
			return err;
		}
		if (!buf_put(&f->content, data))
			abort();
		f->at += used;
	} while (used > 0);
	*more = !h1_body_done(&f->body);
	if (!*more)
		end_message(f, true, OK);
	return OK;
}

/* Takes what has arrived. */
static enum err
take(struct frames *f)
{
	bool more = false;
	enum err err = OK;

	while (err == OK && !more && !f->closed)
		err = f->in_body ? take_body(f, &more) : take_head(f, &more);
	return err;
}

/* All of an input, in pieces of `step` bytes.  f->out is the caller's to free. */
static enum err
run(struct frames *f, char kind, struct str in, size_t step)
{
	enum err err = OK;

	*f = (struct frames){ .kind = kind, .in = in };
	buf_init(&f->out, OUT_MAX);
	put(f, STR("{\"messages\":["));
	while (err == OK && f->end < in.n && !f->closed) {
		f->end = in.n - f->end > step ? f->end + step : in.n;
		err = take(f);
	}
	if (err == OK && f->in_body)
		end_message(f, h1_body_eof(&f->body), OK);
	if (!buf_printf(&f->out, "],\"taken\":%zu,\"then\":\"", f->taken))
		abort();
	put(f, err != OK ? STR("refused") : f->closed ? STR("closed") : STR("more"));
	put(f, STR("\""));
	return err;
}

static bool
read_input(char *kind, char **data, size_t *n)
{
	unsigned char head[5];

	if (fread(head, 1, sizeof(head), stdin) != sizeof(head))
		return false;
	*kind = (char)head[0];
	*n = (size_t)head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
	*data = malloc(*n > 0 ? *n : 1); /* exactly: a sanitizer sees what is read behind it */
	if (*data == NULL || fread(*data, 1, *n, stdin) != *n)
		abort();
	return true;
}

static void
compare(char kind, struct str in, struct str whole)
{
	static const size_t steps[] = { 1, 2, 3, 7, 64 };
	struct frames f;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		(void)!run(&f, kind, in, steps[i]);
		if (!str_eq(buf_str(&f.out), whole)) {
			fprintf(stderr,
			    "in one piece:\n" STR_FMT "\nin pieces of %zu bytes:\n" STR_FMT "\n",
			    STR_ARG(whole), steps[i], STR_ARG(buf_str(&f.out)));
			exit(1);
		}
		buf_fini(&f.out);
	}
}

int
main(void)
{
	struct frames f;
	char kind, *data;
	size_t n;
	enum err err;

	while (read_input(&kind, &data, &n)) {
		err = run(&f, kind, str_of(data, n), n + 1);
		compare(kind, str_of(data, n), buf_str(&f.out));
		printf(STR_FMT ",\"why\":\"%s\"}\n", STR_ARG(buf_str(&f.out)), err_name(err));
		fflush(stdout);
		buf_fini(&f.out);
		free(data);
	}
	return 0;
}
