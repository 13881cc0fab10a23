/*
 * resolve: addresses of host names, looked up without holding up the loop.
 *
 * getaddrinfo() has no non-blocking form, and a name server that is silent makes it take half a minute. So
 * each name is looked up in a thread of its own, which touches nothing but that one lookup. Names wait side
 * by side: one that hangs holds up no other.
 *
 * A lookup cannot be stopped. What is still running at the deadline, or when the resolve is freed, ends by
 * itself and then releases what it holds. Asked for the same name again meanwhile, the resolve waits on for
 * the lookup that runs instead of starting a second: a silent name server never costs more than one thread a
 * name.
 */
#ifndef BACKFILLD_COMMON_RESOLVE_H
#define BACKFILLD_COMMON_RESOLVE_H

#include "common/base.h"
#include "common/loop.h"

struct resolve;

/* What became of one name. */
struct resolved {
	char *name;
	char **addresses; /* numeric, as libpq's hostaddr takes them; in the order of getaddrinfo() */
	size_t count;
	char *reason; /* why there is no address; NULL when there are some */
};

/* `answers` come in the order of the names asked for, and are on loan until the callback returns. It may free
 * the resolve, or ask anew. */
typedef void resolve_fn(void *owner, const struct resolved *answers, size_t count);

struct resolve *resolve_new(struct loop *loop, resolve_fn *fn, void *owner) MUST_USE;

/*
 * Looks up `count` names (copied); an earlier call that was not answered yet is forgotten. Answered once,
 * from the loop: when every name is answered, or after `deadline_ms` with what there is by then.
 */
void resolve_ask(struct resolve *resolve, const char *const *names, size_t count, int64_t deadline_ms);

/* NULL is fine, and so is one that looks something up: it is not answered any more. */
void resolve_free(struct resolve *resolve);

#endif
