#include "daemon/walked.h"

#include "common/memory.h"

#include <stdlib.h>

void walked_remember(struct walked *walked, const struct relation *relation)
{
	walked->oids = memory_resize(walked->oids, (relation->members_count + 1) * sizeof(walked->oids[0]));
	walked->count = 0;
	for (size_t i = 0; i < relation->members_count; i++) {
		if (member_has_rows(&relation->members[i]))
			walked->oids[walked->count++] = relation->members[i].oid;
	}
}

static bool was_walked(const struct walked *walked, uint32_t oid)
{
	for (size_t i = 0; i < walked->count; i++) {
		if (walked->oids[i] == oid)
			return true;
	}
	return false;
}

const struct member *walked_joined(const struct walked *walked, const struct relation *relation)
{
	for (size_t i = 0; i < relation->members_count; i++) {
		const struct member *member = &relation->members[i];

		if (member_has_rows(member) && !was_walked(walked, member->oid))
			return member;
	}
	return NULL;
}

void walked_clear(struct walked *walked)
{
	free(walked->oids);
	*walked = (struct walked){0};
}
