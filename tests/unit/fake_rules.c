#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fake_inside.h"

#include "common/memory.h"
#include "common/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct record {
	struct record *next;   /* the one before */
	struct script *script; /* outlives its question */
};

static struct fake_rule *all_rules; /* youngest first */
static struct record *all_records;  /* youngest first */

static struct fake_rule *add_rule(const char *part, bool once)
{
	struct fake_rule *rule = memory_new(sizeof(*rule));

	rule->part = memory_text(part);
	rule->once = once;
	rule->next = all_rules;
	all_rules = rule;
	fake_statement(rule, part);
	return rule;
}

struct fake_rule *fake_on(const char *part)
{
	return add_rule(part, false);
}

struct fake_rule *fake_once(const char *part)
{
	return add_rule(part, true);
}

void fake_statement(struct fake_rule *rule, const char *part)
{
	struct result *result = memory_new(sizeof(*result));

	result->part = memory_text(part);
	result->modifier = -1;
	result->next = rule->results;
	rule->results = result;
}

void fake_columns(struct fake_rule *rule, ...)
{
	struct result *result = rule->results;
	const char *name;
	va_list names;

	va_start(names, rule);
	while ((name = va_arg(names, const char *))) {
		size_t size = (result->columns_count + 1) * sizeof(result->columns[0]);

		result->columns = memory_resize(result->columns, size);
		result->columns[result->columns_count++] = memory_text(name);
	}
	va_end(names);
}

void fake_row(struct fake_rule *rule, ...)
{
	struct result *result = rule->results;
	size_t count = result->columns_count;
	va_list values;

	result->values =
		memory_resize(result->values, ((result->rows + 1) * count + 1) * sizeof(result->values[0]));
	va_start(values, rule);
	for (size_t i = 0; i < count; i++)
		result->values[result->rows * count + i] = memory_text(va_arg(values, const char *));
	va_end(values);
	result->rows++;
	result->affected = (int64_t)result->rows;
}

void fake_affected(struct fake_rule *rule, int64_t rows)
{
	rule->results->affected = rows;
}

void fake_type(struct fake_rule *rule, uint32_t oid, int32_t modifier)
{
	rule->results->oid = oid;
	rule->results->modifier = modifier;
}

void fake_fails(struct fake_rule *rule, enum fault_kind kind, const char *sqlstate, const char *message)
{
	fault_set(&rule->fault, kind, "%s", message);
	snprintf(rule->fault.sqlstate, sizeof(rule->fault.sqlstate), "%s", sqlstate);
	memory_set_text(&rule->fails_at, rule->results->part);
}

void fake_detail(struct fake_rule *rule, const char *detail)
{
	memory_set_text(&rule->fault.detail, detail);
}

void fake_after(struct fake_rule *rule, int64_t delay_ms)
{
	rule->delay_ms = delay_ms;
}

void fake_silent(struct fake_rule *rule)
{
	rule->silent = true;
}

#define PLACE "::pg_catalog.tid"

/* Its text with the places in a table where their parameters are; to be freed. */
static char *whole_text(const struct script_statement *statement)
{
	struct text whole = {0};

	for (const char *c = statement->sql; *c; c++) {
		char *end = NULL;
		unsigned long number = *c == '$' ? strtoul(c + 1, &end, 10) : 0;

		if (number == 0 || number > statement->values_count || strncmp(end, PLACE, strlen(PLACE)) != 0) {
			text_add_bytes(&whole, c, 1);
			continue;
		}
		text_addf(&whole, "'%s'", statement->values[number - 1]);
		c = end - 1;
	}
	return text_take(&whole);
}

bool fake_contains(const struct script_statement *statement, const char *part)
{
	char *whole;
	bool found = strstr(statement->sql, part);

	if (found || !strstr(statement->sql, PLACE))
		return found;
	whole = whole_text(statement);
	found = strstr(whole, part);
	free(whole);
	return found;
}

bool fake_find_statement(const struct script *script, const char *part, size_t *ret_index)
{
	for (size_t i = 0; i < script->count; i++)
		if (fake_contains(&script->statements[i], part)) {
			*ret_index = i;
			return true;
		}
	return false;
}

void fake_print(const struct script *script)
{
	for (size_t i = 0; i < script->count; i++) {
		const struct script_statement *statement = &script->statements[i];

		print_error("%s", statement->sql);
		for (size_t v = 0; v < statement->values_count; v++)
			print_error("%s$%zu = %s", v ? ", " : "\n\t-- ", v + 1,
				statement->values[v] ? statement->values[v] : "NULL");
		print_error(";\n");
	}
}

struct fake_rule *fake_find_rule(const struct script *script)
{
	struct fake_rule *once = NULL;
	struct fake_rule *every = NULL;
	size_t at;

	for (struct fake_rule *rule = all_rules; rule; rule = rule->next) {
		if (rule->used || !fake_find_statement(script, rule->part, &at))
			continue;
		if (rule->once)
			once = rule;
		else if (!every)
			every = rule;
	}
	return once ? once : every;
}

static void free_rule(struct fake_rule *rule)
{
	while (rule->results) {
		struct result *result = rule->results;

		rule->results = result->next;
		for (size_t i = 0; i < result->columns_count * result->rows; i++)
			free(result->values[i]);
		for (size_t i = 0; i < result->columns_count; i++)
			free(result->columns[i]);
		free(result->values);
		free(result->columns);
		free(result->part);
		free(result);
	}
	fault_clear(&rule->fault);
	free(rule->fails_at);
	free(rule->part);
	free(rule);
}

static void forget_everything(void)
{
	while (all_rules) {
		struct fake_rule *rule = all_rules;

		all_rules = rule->next;
		free_rule(rule);
	}
	while (all_records) {
		struct record *record = all_records;

		all_records = record->next;
		script_free(record->script);
		free(record);
	}
}

void fake_begin(void)
{
	forget_everything();
	fake_forget_sessions();
}

void fake_end(void)
{
	size_t unused = 0;
	size_t living = fake_forget_sessions();

	for (const struct fake_rule *rule = all_rules; rule; rule = rule->next)
		if (rule->once && !rule->used) {
			print_error("never asked: %s\n", rule->part);
			unused++;
		}
	forget_everything();
	assert_int_equal(unused, 0);
	assert_int_equal(living, 0);
}

/* ---- records ---- */

void fake_record(struct script *script)
{
	struct record *made = memory_new(sizeof(*made));

	made->script = script;
	made->next = all_records;
	all_records = made;
}

size_t fake_asked(const char *part)
{
	size_t count = 0;
	size_t at;

	for (const struct record *made = all_records; made; made = made->next)
		if (fake_find_statement(made->script, part, &at))
			count++;
	return count;
}

const struct script *fake_last(const char *part)
{
	size_t at;

	for (const struct record *made = all_records; made; made = made->next)
		if (fake_find_statement(made->script, part, &at))
			return made->script;
	return NULL;
}

const char *fake_bound(const char *part, size_t number)
{
	const struct script *script = fake_last(part);
	size_t at = 0;

	if (!script || !fake_find_statement(script, part, &at))
		fail_msg("nobody asked: %s", part);
	assert_in_range(number, 1, script->statements[at].values_count);
	return script->statements[at].values[number - 1];
}
