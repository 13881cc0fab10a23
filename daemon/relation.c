#include "daemon/relation.h"

#include "common/memory.h"

#include <stdlib.h>

struct member *relation_add_member(struct relation *relation)
{
	size_t count = relation->members_count;

	relation->members = memory_resize(relation->members, (count + 1) * sizeof(*relation->members));
	relation->members[count] = (struct member){0};
	relation->members_count = count + 1;
	return &relation->members[count];
}

void relation_copy_members(struct relation *copy, const struct relation *relation)
{
	for (size_t i = 0; i < relation->members_count; i++) {
		const struct member *from = &relation->members[i];
		struct member *member = relation_add_member(copy);

		*member = *from;
		member->name = memory_text(from->name);
		member->schema_name = memory_text(from->schema_name);
		member->bare_name = memory_text(from->bare_name);
		member->owner = memory_text(from->owner);
		member->key_columns = memory_text(from->key_columns);
		member->index.name = memory_text(from->index.name);
		member->unique.name = memory_text(from->unique.name);
	}
}

bool relation_takes_children_along(const struct relation *relation)
{
	return relation->server_version >= 180000;
}

struct member *relation_member(const struct relation *relation, uint32_t oid)
{
	for (size_t i = 0; i < relation->members_count; i++)
		if (relation->members[i].oid == oid)
			return &relation->members[i];
	return NULL;
}

bool member_has_rows(const struct member *member)
{
	return member->kind == 'r';
}

static void clear_member(struct member *member)
{
	free(member->name);
	free(member->schema_name);
	free(member->bare_name);
	free(member->owner);
	free(member->key_columns);
	free(member->index.name);
	free(member->unique.name);
}

void relation_clear(struct relation *relation)
{
	free(relation->table_name);
	free(relation->schema_name);
	free(relation->owner);
	free(relation->update_triggers);
	free(relation->update_rules);
	free(relation->function_name);
	free(relation->counters);
	free(relation->control_login);
	free(relation->publication);
	free(relation->key_columns);
	free(relation->stored_generated);
	free(relation->column_now);
	free(relation->column_type);
	free(relation->column_default);
	free(relation->column_users);
	free(relation->not_null_unvalidated);
	for (size_t i = 0; i < relation->members_count; i++)
		clear_member(&relation->members[i]);
	free(relation->members);
	*relation = (struct relation){0};
}

double relation_rows_per_page(int64_t pages, double rows)
{
	return pages > 0 && rows > 0.0 ? rows / (double)pages : 64.0;
}
