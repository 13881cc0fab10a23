#include "daemon/presence.h"

#include "common/memory.h"

#include <stdlib.h>

struct presence {
	const struct session **sessions;
	size_t count;
	int64_t left_since_ms; /* what the last that left in the midst of its work was at; 0: nobody did */
	int64_t left_ms;
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

void presence_leave(struct presence *presence, const struct session *session, int64_t now_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < presence->count; i++) {
		if (presence->sessions[i] != session)
			presence->sessions[kept++] = presence->sessions[i];
	}
	presence->count = kept;
	if (session_at_work_since_ms(session) == 0)
		return;
	presence->left_since_ms = session_at_work_since_ms(session);
	presence->left_ms = now_ms;
}

int64_t presence_since_ms(const struct presence *presence, int64_t now_ms)
{
	bool lingers = presence->left_since_ms != 0 && now_ms - presence->left_ms < PRESENCE_LINGERS_MS;
	int64_t earliest_ms = lingers ? presence->left_since_ms : 0;

	for (size_t i = 0; i < presence->count; i++) {
		int64_t since_ms = session_at_work_since_ms(presence->sessions[i]);

		if (since_ms != 0 && (earliest_ms == 0 || since_ms < earliest_ms))
			earliest_ms = since_ms;
	}
	return earliest_ms;
}
