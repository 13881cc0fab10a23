#include "daemon/presence.h"

#include "common/memory.h"

#include <stdlib.h>

struct presence {
	const struct session **sessions;
	size_t count;
	int64_t
		left_since_ms; /* since when those that left in the midst of their work were at it; 0: nobody did */
	int64_t left_ms;   /* the last of them */
};

struct presence *presence_new(void)
{
	return memory_new(sizeof(struct presence));
}

void presence_free(struct presence *presence)
{
	if (!presence)
		return;
	free(presence->sessions);
	free(presence);
}

void presence_enter(struct presence *presence, const struct session *session)
{
	presence->sessions =
		memory_resize(presence->sessions, (presence->count + 1) * sizeof(presence->sessions[0]));
	presence->sessions[presence->count++] = session;
}

static bool lingers(const struct presence *presence, int64_t now_ms)
{
	return presence->left_since_ms != 0 && now_ms - presence->left_ms < PRESENCE_LINGERS_MS;
}

static int64_t earlier_ms(int64_t ms, int64_t other_ms)
{
	return ms != 0 && (other_ms == 0 || ms < other_ms) ? ms : other_ms;
}

void presence_leave(struct presence *presence, const struct session *session, int64_t now_ms)
{
	int64_t since_ms = session_at_work_since_ms(session);
	size_t kept = 0;

	for (size_t i = 0; i < presence->count; i++) {
		if (presence->sessions[i] != session)
			presence->sessions[kept++] = presence->sessions[i];
	}
	presence->count = kept;
	if (since_ms == 0)
		return;
	presence->left_since_ms = earlier_ms(since_ms, lingers(presence, now_ms) ? presence->left_since_ms : 0);
	presence->left_ms = now_ms;
}

int64_t presence_since_ms(const struct presence *presence, int64_t now_ms)
{
	int64_t earliest_ms = lingers(presence, now_ms) ? presence->left_since_ms : 0;

	for (size_t i = 0; i < presence->count; i++)
		earliest_ms = earlier_ms(session_at_work_since_ms(presence->sessions[i]), earliest_ms);
	return earliest_ms;
}
