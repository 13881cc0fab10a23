#include "daemon/team.h"

#include "common/memory.h"

#include <stdlib.h>

void team_grow(
	struct team *team, struct filler_shared *shared, const struct filler_events *events, void *owner)
{
	size_t wanted = (size_t)shared->workers;

	if (wanted > team->count)
		team->fillers = memory_resize(team->fillers, wanted * sizeof(team->fillers[0]));
	while (team->count < wanted) {
		size_t i = team->count++;

		team->fillers[i] = filler_new(shared, (int)i, events, owner);
	}
}

void team_free(struct team *team)
{
	for (size_t i = 0; i < team->count; i++)
		filler_free(team->fillers[i]);
	free(team->fillers);
	*team = (struct team){0};
}

void team_resume(struct team *team, size_t count)
{
	for (size_t i = 0; i < count; i++)
		filler_resume(team->fillers[i]);
}

void team_stop(struct team *team)
{
	for (size_t i = 0; i < team->count; i++)
		filler_stop(team->fillers[i]);
}

void team_disturb(struct team *team)
{
	for (size_t i = 0; i < team->count; i++)
		filler_disturb(team->fillers[i]);
}

bool team_is_idle(const struct team *team)
{
	return team_working(team) == 0;
}

bool team_at_rest(const struct team *team)
{
	for (size_t i = 0; i < team->count; i++) {
		if (!filler_at_rest(team->fillers[i]))
			return false;
	}
	return true;
}

int team_working(const struct team *team)
{
	int working = 0;

	for (size_t i = 0; i < team->count; i++)
		working += !filler_is_idle(team->fillers[i]);
	return working;
}

double team_pages_done(const struct team *team)
{
	double done = 0.0;

	for (size_t i = 0; i < team->count; i++)
		done += filler_pages_done(team->fillers[i]);
	return done;
}

double team_batch_pages(const struct team *team)
{
	double sum = 0.0;

	for (size_t i = 0; i < team->count; i++)
		sum += (double)filler_batch_pages(team->fillers[i]);
	return team->count > 0 ? sum / (double)team->count : 0.0;
}
