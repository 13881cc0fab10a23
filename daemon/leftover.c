#include "daemon/leftover.h"

#include "common/text.h"
#include "daemon/authority.h"
#include "daemon/pending.h"

#define DEADLINE_MS (INT64_C(6) * 3600 * 1000)

void leftover_ask(struct session *session, const struct job *job, const struct relation *relation,
	session_answer *answer, void *owner)
{
	struct script *script = script_new();
	struct text sql = {0};

	authority_begin(script, &(struct authority){
								.owner = relation->owner,
								.search_path = job->search_path,
								.lock_timeout_ms = job->knobs.lock_timeout_ms,
							});
	text_addf(&sql, "SELECT pg_catalog.count(*) AS left FROM %s%s WHERE ",
		relation->members_count > 1 ? "" : "ONLY ", job->table_name);
	pending_add(&sql, job);
	script_add(script, text_is(&sql));
	script_add(script, "COMMIT");
	text_free(&sql);
	session_ask(session, script, DEADLINE_MS, answer, owner);
}

int64_t leftover_read(const struct reply *reply)
{
	return reply_int(reply, AUTHORITY_STATEMENTS, 0, "left", 0);
}
