/*
 * outage: which signals cannot be read, each said once when that begins and once when it ends.
 *
 * In the log and as an event of the database; the sentence names what cannot be read, and why. Parts are
 * numbered by who owns the outages. That this login lacks rights (part 0) is said once, not again by each
 * part that is refused for it.
 */
#ifndef BACKFILLD_DAEMON_OUTAGE_H
#define BACKFILLD_DAEMON_OUTAGE_H

#include "common/base.h"
#include "common/fault.h"
#include "common/session.h"

#define OUTAGE_OF_RIGHTS 0

struct outages;

/* `database` is the label in the log, on loan. */
struct outages *outages_new(size_t parts, const char *database) MUST_USE;
void outages_free(struct outages *outages);

/* Events are written through this session from now on; NULL: there is none. */
void outages_use(struct outages *outages, struct session *session);

/* The part cannot be read; takes the sentence. */
void outages_begin(struct outages *outages, size_t part, char *sentence);

/* The same for a fault that was answered. A lost connection is no fault of the part: it only grows old. */
void outages_note(struct outages *outages, size_t part, const char *name, const struct fault *why);

/* It can be read, perhaps again. */
void outages_end(struct outages *outages, size_t part);

/* What is wrong with the first part of those below `parts` that cannot be read, on loan until the next call;
 * NULL: all can. */
const char *outages_first(const struct outages *outages, size_t parts) MUST_USE;

#endif
