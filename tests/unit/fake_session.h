/*
 * fake_session: a scripted stand-in for the session room, for conversations that a real server cannot be made
 * to have. A test is linked with the fake_ files, which then stand for those of common/session.
 *
 *	fake_begin();
 *	rule = fake_on("FROM backfill.job");
 *	fake_columns(rule, "id", "table_name", NULL);
 *	fake_row(rule, "7", "public.users");
 *	rule = fake_once("UPDATE ONLY");
 *	fake_fails(rule, FAULT_BUSY, "55P03", "canceling statement due to lock timeout");
 *	… run the loop …
 *	assert_int_equal(fake_asked("UPDATE ONLY"), 2);
 *	fake_end();
 *
 * It keeps the promises of session.h: one question after the other, each answered once and from the
 * loop, with deadlines, and freeing or forgetting from inside a callback. One that was asked ahead fails with
 * the one before it, as a transaction of the same connection does. Sessions open in the loop's
 * next turn; a greeting is recorded and always succeeds. A question for which there is no rule fails
 * the test and is printed.
 */
#ifndef BACKFILLD_TESTS_UNIT_FAKE_SESSION_H
#define BACKFILLD_TESTS_UNIT_FAKE_SESSION_H

#include "common/session.h"

struct fake_rule;

/* Forgets all rules and records. */
void fake_begin(void);

/* Fails the test when a rule of fake_once() was not used or a session was not freed; releases everything. */
void fake_end(void);

/* What to answer to a question of which any statement contains `part` (copied): every time, or once. Rules of
 * fake_once() come first, in the order they were made; of the others the youngest wins. Without more such a
 * question succeeds, and no statement returns rows. */
struct fake_rule *fake_on(const char *part);
struct fake_rule *fake_once(const char *part);

/* The calls below are about the statements that contain the rule's part; after this, about those that contain
 * `part`. Of several that fit a statement the youngest wins. */
void fake_statement(struct fake_rule *rule, const char *part);

/* Names of the columns, up to a NULL; then one value for each column and row (NULL is SQL NULL). */
void fake_columns(struct fake_rule *rule, ...) __attribute__((sentinel));
void fake_row(struct fake_rule *rule, ...);
void fake_affected(struct fake_rule *rule, int64_t rows);
void fake_type(struct fake_rule *rule, uint32_t oid, int32_t modifier);

/* The statement fails. With FAULT_LINK the connection is lost after the answer, as session.h says. */
void fake_fails(struct fake_rule *rule, enum fault_kind kind, const char *sqlstate, const char *message);
void fake_detail(struct fake_rule *rule, const char *detail);

/* The answer comes after `delay_ms` (default 0), or never, so that the deadline passes. */
void fake_after(struct fake_rule *rule, int64_t delay_ms);
void fake_silent(struct fake_rule *rule);

/* How many questions so far had a statement that contains `part`, answered or not. */
size_t fake_asked(const char *part);

/* The script of the last of them, or NULL; on loan until fake_end(). */
const struct script *fake_last(const char *part);

/* The value bound to $`number` of the statement that contains `part`, in the last such question. Fails the
 * test when there is none. */
const char *fake_bound(const char *part, size_t number);

/* Sessions living, and the one made as number `index` of those (from 0). */
size_t fake_sessions(void);
struct session *fake_session(size_t index);
const char *fake_conninfo(const struct session *session);

/* False: sessions lose their connection and find no other until it is true again. */
void fake_reachable(bool reachable);

/* The connection breaks: open questions are answered with a FAULT_LINK, `lost` is called, and the session
 * opens again. To be called from the loop. */
void fake_lose(struct session *session, const char *message);

/* The same, and it finds no other connection until fake_open(). */
void fake_shut(struct session *session);
void fake_open(struct session *session);

/* The same as fake_shut(): the server is there, and refuses for this reason. */
void fake_refuse(struct session *session, const char *sqlstate, const char *message);

void fake_notify(struct session *session, const char *channel, const char *payload);

#endif
