/*
 * relation: what the server's catalogue says of a job's table and column, at one moment.
 *
 * The catalogue is the only memory of how far DDL got: a worker that takes a job up looks here, not at notes
 * of its own, so an ALTER that a killed daemon never heard the end of is neither lost nor done twice.
 */
#ifndef BACKFILLD_DAEMON_RELATION_H
#define BACKFILLD_DAEMON_RELATION_H

#include "common/base.h"

/* An index that the job makes, or has made, on one table. */
struct member_index {
	char *name; /* unquoted, in the table's schema; NULL until planning has chosen it */
	bool exists;
	bool valid;
	bool is_constraint;
	bool attached; /* to that of the parent */
};

/* A CHECK or a foreign key that the job makes, or has made, on one table. */
struct member_constraint {
	bool exists;
	bool valid;
};

/* A table of the job's tree: the job's table, a partition at any depth, an inheritance child. */
struct member {
	uint32_t oid;
	uint32_t parent_oid; /* 0: the job's table */
	char *name;          /* format('%I.%I') */
	char *schema_name;   /* quoted */
	char *bare_name;     /* unquoted, without schema */
	char *owner;         /* bare */
	char kind;           /* pg_class.relkind; 'r': it has rows */
	bool temporary;
	bool is_partition;
	char *key_columns; /* as the relation's */
	int64_t pages;     /* heap pages by size; 0 where it has no rows of its own */
	double rows;       /* pg_class.reltuples; -1: never analyzed */
	bool joined;       /* behind the job's last walk over the tree: nobody has looked at its rows */
	bool column_exists;
	bool column_not_null;       /* enforced and validated */
	bool insert_trigger_exists; /* ours */
	bool update_trigger_exists; /* ours */
	int64_t rows_moved; /* to other pages since its last vacuum: the fill's own count, not the catalogue's */
	struct member_index index;
	struct member_index unique; /* of the UNIQUE constraint */
	struct member_constraint check;
	struct member_constraint foreign_key;
};

/* 64 where that is not known. */
double relation_rows_per_page(int64_t pages, double rows) MUST_USE;

struct relation {
	int server_version; /* 150018 */
	bool exists;
	char *table_name;   /* format('%I.%I') as it is called now */
	char *schema_name;  /* quoted */
	char *owner;        /* bare */
	bool requester_may; /* who asked for the job still has the owner's privileges */
	bool may_sleep;     /* the owner may execute pg_sleep(), as everybody may unless somebody took that away;
						   as it was when the catalogue was read: at a claim, and before each walk */
	char kind;          /* pg_class.relkind */
	bool has_children;  /* partitions or inheritance children */
	/* Of any table of the tree: */
	bool forced_row_security;
	char *update_triggers; /* names of user triggers that fire for each updated row; NULL: none */
	char *publication;     /* one that would refuse updates for want of a replica identity; NULL: none */
	char *update_rules;    /* names of rules that rewrite an UPDATE; NULL: none */
	int64_t pages;         /* heap pages by size, of all of them */
	double rows;           /* pg_class.reltuples, of all of them; -1: never analyzed */
	int secondary_indexes; /* indexes besides the primary key's; the most that one of them has */
	bool column_indexed;   /* an index has the column: its updates cannot be HOT */
	/* Of the job's table itself: */
	char *key_columns;      /* the primary key's columns, quoted and comma-separated; NULL: no key */
	char *stored_generated; /* names of stored generated columns, comma-separated; NULL: none */
	bool column_exists;
	int column_number; /* pg_attribute.attnum; 0: there is none */
	char *column_now; /* quoted: what the column is called that the job has seen there; NULL: as ever, or gone
					   */
	bool column_generated; /* generated or identity: cannot be filled */
	char *column_users; /* indexes and constraints on it, ours among them while they are there; NULL: none */
	char *column_type;  /* format_type() */
	char *column_default;       /* pg_get_expr(); NULL: none */
	bool column_not_null;       /* enforced and validated */
	char *not_null_unvalidated; /* 18: quoted name of a NOT VALID not-null; NULL: none */
	bool insert_trigger_exists; /* ours */
	bool update_trigger_exists; /* ours */
	char *function_name;        /* ours, with its schema, which may have been changed; NULL: none */
	char *counters;             /* sequences of our function, with schema, comma-separated; NULL: none */
	char *control_login;        /* bare */
	bool has_strays;            /* a table outside the tree has a trigger with that function */
	bool check_exists;          /* ours: CHECK (column IS NOT NULL) */
	bool check_valid;
	bool analyzed; /* by this job, since it reached that stage: the catalogue does not tell */
	/* The whole tree: members[0] is the job's table, the others follow by depth and oid. */
	struct member *members;
	size_t members_count;
	bool partitioned; /* the job's table is; otherwise members besides it inherit from it */
};

/* One more member behind the others, zeroed, for the caller to fill; on loan until the next. */
struct member *relation_add_member(struct relation *relation) MUST_USE;

/* Deep copies of all members, behind those that `copy` has. */
void relation_copy_members(struct relation *copy, const struct relation *relation);

/* VACUUM and ANALYZE of an inheritance parent go on to its children, unless they are told ONLY: from 18 on.
 */
bool relation_takes_children_along(const struct relation *relation) MUST_USE;

/* NULL: not of the tree (any more). */
struct member *relation_member(const struct relation *relation, uint32_t oid) MUST_USE;

/* Rows are in ordinary tables; a partitioned one has none of its own. */
bool member_has_rows(const struct member *member) MUST_USE;

void relation_clear(struct relation *relation);

#endif
