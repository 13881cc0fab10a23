/*
 * catalog: reads what the server's catalogue says of a job's table and column.
 */
#ifndef BACKFILLD_DAEMON_CATALOG_H
#define BACKFILLD_DAEMON_CATALOG_H

#include "common/base.h"
#include "common/session.h"
#include "daemon/job.h"
#include "daemon/relation.h"

/* Asked on the control session: it reads catalogues only and runs nothing of the user's. */
void catalog_ask(struct session *control, const struct job *job, session_answer *answer, void *owner);

/* `relation` (zeroed or used) afterwards owns what was read; `exists` is false when the table is gone. */
void catalog_read(const struct reply *reply, int server_version, struct relation *relation);

/* A sentence with ctid and key of the row at (page,item) of `leaf`, or (NULL) of the job's table: asked on a
 * worker session. */
void catalog_ask_row(struct session *session, const struct job *job, const struct relation *relation,
	const struct member *leaf, int64_t page, int item, session_answer *answer, void *owner);

/* The same for the first row whose column is NULL, in whichever table of the tree. */
void catalog_ask_null_row(struct session *session, const struct job *job, const struct relation *relation,
	session_answer *answer, void *owner);

/* The same for the first row for which check_expr is false. */
void catalog_ask_wrong_row(struct session *session, const struct job *job, const struct relation *relation,
	session_answer *answer, void *owner);

/* "row ctid (4,7), key (id)=(1234)", of a tree "row ctid (4,7) of public.users_1, key …"; to be freed; NULL
 * when there is no such row. */
char *catalog_read_row(const struct reply *reply) MUST_USE;

#endif
