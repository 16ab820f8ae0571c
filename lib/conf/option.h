/* SPDX-License-Identifier: Apache-2.0 */
/*
 * option - a setting is one row: name, type, field, default, range, when it may change, help.
 *
 * The rows of a daemon are constant tables; the loader, the reference manual's test, the comparison
 * of two configurations and the dump all read them.  A default is text and passes through the
 * parser that users' values pass through.  libcyaml knows neither defaults nor number ranges nor
 * positions for them, so the rows stand on libyaml alone.
 */
#ifndef SCHLEUSE_CONF_OPTION_H
#define SCHLEUSE_CONF_OPTION_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/conf/address.h"

enum conf_type {
	CONF_BOOL,     /* bool: true or false */
	CONF_SIZE,     /* bytes: number with k, M or G (1024) */
	CONF_COUNT,    /* plain number */
	CONF_DURATION, /* milliseconds: number with ms, s, m, h or d; 0 needs no unit */
	CONF_STRING,   /* char *: min..max bytes; empty: NULL */
	CONF_PATH,     /* char *: relative to the file's folder; empty: NULL */
	CONF_ADDRESS,  /* struct conf_address; empty: all NULL */
	CONF_ENUM,     /* one of `words` */
	CONF_FLAGS,    /* a list of `words`, their values or-ed */
	CONF_STRINGS,  /* struct conf_list: min..max strings */
	CONF_PATHS,    /* struct conf_list: min..max paths */
	CONF_MAP,      /* sequence written "key: value"; `rows` are the two fields of an item */
	CONF_SECTION,  /* a map whose rows are fields of the struct at `field`; {0, 0}: the same */
	CONF_SEQUENCE, /* min..max items, each a map of `rows` */
	CONF_TYPES
};

enum conf_change { CONF_RELOAD, CONF_RESTART };

struct conf_word {
	const char *name; /* NULL ends the table */
	unsigned value;
};

struct conf_field {
	size_t at, size;
};

struct conf_option {
	const char *name; /* NULL ends the table */
	enum conf_type type;
	struct conf_field field;
	const char *preset; /* default as text, lists separated by ", "; NULL: must be given */
	uint64_t min, max;
	enum conf_change change;
	const char *help; /* a noun phrase: what it is */
	const struct conf_word *words;
	const struct conf_option *rows;
	size_t item_size;        /* map, sequence: of one item */
	struct conf_field count; /* map, sequence: the number of items (size_t) */
};

#define CONF_FIELD(type, member) \
	{ \
		offsetof(type, member), sizeof(((type *)0)->member) \
	}
#define CONF_END \
	{ \
		.name = NULL \
	}

struct conf_list { /* a sequence of strings */
	char **v;
	size_t n;
};

/* What values are parsed with. */
struct conf_context {
	struct arena *arena; /* values live here */
	const char *folder;  /* relative paths start here; NULL: leave them */
	char why[512];       /* after false: what is wrong; what would be right */
};

/* Parses one scalar and stores it at `field`.  `type` is the row's, or that of an element of its
 * list. */
bool conf_value_set(struct conf_context *c, const struct conf_option *row, enum conf_type type,
    struct str text, void *field) __attribute__((warn_unused_result));
enum conf_type conf_element_type(enum conf_type list); /* CONF_FLAGS: CONF_ENUM */
bool conf_type_is_list(enum conf_type t);              /* written as a YAML list of scalars */
void conf_store(
    void *field, size_t size, uint64_t value); /* into an integer, enum or bool of that size */
uint64_t conf_fetch(const void *field, size_t size);
const char *conf_type_expected(enum conf_type t); /* "a number", for faults */

/* The value as it would be written in the file. */
bool conf_value_print(const struct conf_option *row, const void *base, struct buf *out)
    __attribute__((warn_unused_result));
/* One line per setting: name TAB type TAB default TAB range TAB reload|restart TAB help. */
bool conf_dump_options(const struct conf_option *rows, struct buf *out)
    __attribute__((warn_unused_result));
/* The whole configuration as YAML: every setting with the value in force. */
bool conf_dump_values(const struct conf_option *rows, const void *base, struct buf *out)
    __attribute__((warn_unused_result));
/* Appends the names of the settings of that class that differ, ", " between them; whether there are
 * any. */
bool conf_changed(const struct conf_option *rows, const void *old, const void *new,
    enum conf_change change, struct buf *what);

#endif
