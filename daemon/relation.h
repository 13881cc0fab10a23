/*
 * relation: what the server's catalogue says of a job's table and column, at one moment.
 *
 * The catalogue is the only memory of how far DDL got: a worker that takes a job up looks here, not at notes
 * of its own, so an ALTER that a killed daemon never heard the end of is neither lost nor done twice.
 */
#ifndef BACKFILLD_DAEMON_RELATION_H
#define BACKFILLD_DAEMON_RELATION_H

#include "common/base.h"

struct relation {
	int server_version; /* 150018 */
	bool exists;
	char *table_name;   /* format('%I.%I') as it is called now */
	char *schema_name;  /* quoted */
	char *owner;        /* bare */
	bool requester_may; /* who asked for the job still has the owner's privileges */
	char kind;          /* pg_class.relkind */
	bool has_children;  /* partitions or inheritance children */
	bool forced_row_security;
	char *update_triggers;  /* names of user triggers that fire for each updated row; NULL: none */
	char *publication;      /* one that would refuse updates for want of a replica identity; NULL: none */
	char *key_columns;      /* the primary key's columns, quoted and comma-separated; NULL: no key */
	char *stored_generated; /* names of stored generated columns, comma-separated; NULL: none */
	int64_t pages;          /* heap pages by size */
	double rows;            /* pg_class.reltuples; -1: never analyzed */
	int secondary_indexes;  /* indexes besides the primary key's */
	bool column_indexed;    /* an index has the column: its updates cannot be HOT */
	bool column_exists;
	bool column_generated;      /* generated or identity: cannot be filled */
	char *column_type;          /* format_type() */
	char *column_default;       /* pg_get_expr(); NULL: none */
	bool column_not_null;       /* enforced and validated */
	char *not_null_unvalidated; /* 18: quoted name of a NOT VALID not-null; NULL: none */
	bool insert_trigger_exists; /* ours */
	bool update_trigger_exists; /* ours */
	char *function_name;        /* ours, with its schema, which may have been changed; NULL: none */
	char *update_rules;         /* names of rules that rewrite an UPDATE; NULL: none */
	bool check_exists;          /* ours: CHECK (column IS NOT NULL) */
	bool check_valid;
	bool analyzed; /* by this job, since it reached that stage: the catalogue does not tell */
};

void relation_clear(struct relation *relation);

#endif
