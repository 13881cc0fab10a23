#include "daemon/outage.h"

#include "common/log.h"
#include "common/memory.h"
#include "daemon/pressure.h"

#include <stdlib.h>
#include <string.h>

struct outages {
	const char *database;
	struct session *session;
	char **sentences; /* of each part; NULL: it can be read */
	size_t count;
};

struct outages *outages_new(size_t parts, const char *database)
{
	struct outages *outages = memory_new(sizeof(*outages));

	*outages = (struct outages){.database = database, .count = parts};
	outages->sentences = memory_new(parts * sizeof(outages->sentences[0]));
	return outages;
}

void outages_free(struct outages *outages)
{
	if (!outages)
		return;
	for (size_t i = 0; i < outages->count; i++)
		free(outages->sentences[i]);
	free(outages->sentences);
	free(outages);
}

void outages_use(struct outages *outages, struct session *session)
{
	outages->session = session;
}

static void tell(const struct outages *outages, const char *kind, const char *sentence)
{
	if (outages->session)
		pressure_tell(outages->session, kind, sentence);
}

void outages_begin(struct outages *outages, size_t part, char *sentence)
{
	struct log_about about = {.database = outages->database};

	if (!outages->sentences[part]) {
		log_error(&about, "%s; nothing is filled until that is over", sentence);
		tell(outages, "signal lost", sentence);
	}
	free(outages->sentences[part]);
	outages->sentences[part] = sentence;
}

void outages_note(struct outages *outages, size_t part, const char *name, const struct fault *why)
{
	bool is_follow = outages->sentences[OUTAGE_OF_RIGHTS] && strcmp(why->sqlstate, "42501") == 0;
	struct log_about about = {.database = outages->database};

	if (why->kind == FAULT_LINK || is_follow)
		log_debug(&about, "no sample: %s: %s", name, why->message);
	else
		outages_begin(outages, part, memory_textf("%s cannot be read: %s", name, why->message));
}

void outages_end(struct outages *outages, size_t part)
{
	struct log_about about = {.database = outages->database};

	if (!outages->sentences[part])
		return;
	log_info(&about, "this is over: %s", outages->sentences[part]);
	tell(outages, "signal back", outages->sentences[part]);
	free(outages->sentences[part]);
	outages->sentences[part] = NULL;
}

const char *outages_first(const struct outages *outages, size_t parts)
{
	for (size_t part = 0; part < parts; part++) {
		if (outages->sentences[part])
			return outages->sentences[part];
	}
	return NULL;
}
