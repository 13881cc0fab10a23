#include "daemon/culprit.h"

#include "common/quote.h"
#include "common/text.h"
#include "daemon/catalog.h"

#include <string.h>

#define NAME_TAKEN "42P07" /* duplicate_table, also of an index */

static bool is_rule(enum change_kind kind)
{
	return kind == CHANGE_RULE || kind == CHANGE_RULE_VALIDATE;
}

bool culprit_wanted_before(enum change_kind kind)
{
	return kind == CHANGE_CHECK || kind == CHANGE_RULE;
}

bool culprit_explains(enum change_kind kind)
{
	return kind == CHANGE_VALIDATE || kind == CHANGE_RULE_VALIDATE;
}

void culprit_ask(struct session *session, const struct job *job, const struct relation *relation,
	enum change_kind kind, session_answer *answer, void *owner)
{
	if (is_rule(kind))
		catalog_ask_wrong_row(session, job, relation, answer, owner);
	else
		catalog_ask_null_row(session, job, relation, answer, owner);
}

void culprit_accuse(const struct job *job, enum change_kind kind, const char *row, struct fault *ret_why)
{
	bool rule = is_rule(kind);

	if (rule)
		fault_set(ret_why, FAULT_DATA, "%s: check_expr (%s) is false", row, job->check_expr);
	else
		fault_set(ret_why, FAULT_DATA, "%s: column %s is NULL, and the job asks for NOT NULL", row,
			job->column_name);
	memcpy(ret_why->sqlstate, rule ? "23514" : "23502", sizeof(ret_why->sqlstate));
	culprit_hint(kind, row, ret_why);
}

void culprit_hint(enum change_kind kind, const char *row, struct fault *why)
{
	if (is_rule(kind))
		fault_set_hint(
			why, "%s does not fit check_expr: give it a value that does, then set wanted = 'run'.", row);
	else
		fault_set_hint(
			why, "%s is still NULL: give it a value, or let value fill it, then set wanted = 'run'.", row);
}

void culprit_hint_at_index(const struct job *job, struct fault *why)
{
	struct text column = {0};

	if (strcmp(why->sqlstate, NAME_TAKEN) == 0)
		fault_set_hint(why, "Something else has taken that name since the job was planned: rename that "
							"(ALTER INDEX ... RENAME TO ...), then set wanted = 'run'.");
	if (strcmp(why->sqlstate, "23505") != 0)
		return;
	quote_name(&column, job->column_name);
	fault_set_hint(why,
		"Let every row have a value of its own (SELECT %s, count(*) FROM %s GROUP BY 1 HAVING count(*) > 1), "
		"then set wanted = 'run'.",
		text_is(&column), job->table_name);
	text_free(&column);
}
