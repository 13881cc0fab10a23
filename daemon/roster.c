#include "daemon/roster.h"

#include "common/memory.h"

#include <stdlib.h>

void roster_add(struct roster *roster, struct worker *worker)
{
	roster->workers = memory_resize(roster->workers, (roster->count + 1) * sizeof(roster->workers[0]));
	roster->workers[roster->count++] = worker;
}

void roster_remove(struct roster *roster, struct worker *worker)
{
	size_t kept = 0;

	for (size_t i = 0; i < roster->count; i++) {
		if (roster->workers[i] != worker)
			roster->workers[kept++] = roster->workers[i];
	}
	roster->count = kept;
	worker_free(worker);
}

void roster_free(struct roster *roster)
{
	for (size_t i = 0; i < roster->count; i++)
		worker_free(roster->workers[i]);
	free(roster->workers);
	*roster = (struct roster){0};
}

struct worker *roster_find(const struct roster *roster, int64_t job_id)
{
	for (size_t i = 0; i < roster->count; i++) {
		if (worker_job_id(roster->workers[i]) == job_id)
			return roster->workers[i];
	}
	return NULL;
}

static bool is_ours(const struct reply *look, int64_t job_id)
{
	for (size_t row = 0; row < reply_rows(look, 0); row++) {
		if (reply_bool(look, 0, row, "mine") && reply_int(look, 0, row, "id", 0) == job_id)
			return true;
	}
	return false;
}

void roster_abandon_lost(struct roster *roster, const struct reply *look)
{
	for (size_t i = 0; i < roster->count; i++) {
		if (!is_ours(look, worker_job_id(roster->workers[i])))
			worker_abandon(roster->workers[i]);
	}
}

void roster_stop(struct roster *roster)
{
	for (size_t i = 0; i < roster->count; i++)
		worker_stop(roster->workers[i]);
}

void roster_describe(const struct roster *roster, struct text *lines)
{
	for (size_t i = 0; i < roster->count; i++) {
		text_add(lines, lines->length > 0 ? "; " : "");
		worker_describe(roster->workers[i], lines);
	}
}
