/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree - YAML text as a tree of nodes that know where they were written.
 *
 * Only the plain part of YAML is accepted: one document of maps, lists and scalars.  Anchors,
 * aliases and tags are refused (what stands in the file is what applies), tabs in the indentation
 * are named as such, nesting and size are bounded.  Everything lives in the caller's arena.  Pure.
 */
#ifndef SCHLEUSE_CONF_TREE_H
#define SCHLEUSE_CONF_TREE_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"

#define TREE_TEXT_MAX (1 << 20) /* bytes of a configuration file */
#define TREE_DEPTH_MAX 16       /* nested maps and lists */
#define TREE_FAULTS_MAX 50      /* faults shown of one file */
#define TREE_SHOW_MAX 48        /* bytes of a value repeated in a fault */

struct tree_mark {
	size_t line,
	    column; /* from 1; the column counts characters.  line 0: the file as a whole */
};

/* Where faults are collected, one line each: "file:line:column: what is wrong; what would be
 * right". */
struct tree_faults {
	const char *path;
	struct buf *out;
	unsigned count; /* all of them, also those past TREE_FAULTS_MAX */
};

enum tree_kind { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree_node {
	enum tree_kind kind;
	struct tree_mark at;
	struct str text;        /* scalar: NUL-terminated as well */
	bool plain;             /* scalar without quotes */
	struct tree_node *key;  /* child of a map: its key, always a scalar */
	struct tree_node *next; /* the next child of the same parent */
	struct tree_node *first, *last;
	size_t n; /* children */
};

/* The root, which may be an empty plain scalar for an empty file.  NULL: a fault was added. */
struct tree_node *tree_parse(struct arena *a, struct str text, struct tree_faults *f)
    __attribute__((warn_unused_result));

bool tree_is_null(const struct tree_node *n); /* nothing, ~ or null, unquoted */

void tree_fault(struct tree_faults *f, struct tree_mark at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* s fit for a fault's text: printable, cut when long; returns out. */
char *tree_show(struct str s, char out[TREE_SHOW_MAX + 4]);

#endif
