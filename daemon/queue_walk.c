#include "daemon/queue_inside.h"

#include "common/memory.h"
#include "common/text.h"
#include "sql.h"

#include <inttypes.h>
#include <stdlib.h>

/* Of what `elements` holds, which is released. */
static void bind_array(struct script *script, struct text *elements)
{
	char *array = memory_textf("{%s}", text_is(elements));

	script_bind(script, array);
	free(array);
	text_free(elements);
}

/* As two arrays, in the order of the walk; of a table that stands alone there is nothing to tell. */
static void bind_leaves(struct script *script, const struct relation *relation)
{
	struct text oids = {0};
	struct text pages = {0};
	size_t members = relation->members_count > 1 ? relation->members_count : 0;

	for (size_t i = 0; i < members; i++) {
		const struct member *member = &relation->members[i];

		if (!member_has_rows(member))
			continue;
		text_addf(&oids, "%s%" PRIu32, oids.length > 0 ? "," : "", member->oid);
		text_addf(&pages, "%s%" PRId64, pages.length > 0 ? "," : "", member->pages);
	}
	bind_array(script, &oids);
	bind_array(script, &pages);
}

/* What the walk goes over: the sum of what bind_leaves() tells, where it tells any. */
static int64_t pages_of(const struct relation *relation)
{
	int64_t pages = 0;

	if (relation->members_count <= 1)
		return relation->pages;
	for (size_t i = 0; i < relation->members_count; i++)
		if (member_has_rows(&relation->members[i]))
			pages += relation->members[i].pages;
	return pages;
}

void queue_start_walk(struct session *control, const struct job *job, const struct relation *relation,
	int sweep, session_answer *answer, void *owner)
{
	struct script *script = queue_script(sql_walk_start);

	script_bind_int(script, job->id);
	script_bind_int(script, job->table_oid);
	script_bind_int(script, sweep);
	script_bind_int(script, pages_of(relation));
	script_bind_int(script, job->epoch);
	bind_leaves(script, relation);
	queue_ask(control, script, answer, owner);
}

bool queue_read_walk(const struct reply *reply, struct queue_walk *ret_walk)
{
	if (reply_rows(reply, 0) == 0)
		return false;
	*ret_walk = (struct queue_walk){
		.sweep = (int)reply_int(reply, 0, 0, "sweep", 0),
		.pages = reply_int(reply, 0, 0, "pages", 0),
		.pages_done = reply_int(reply, 0, 0, "done", 0),
		.fresh = reply_bool(reply, 0, 0, "fresh"),
	};
	return true;
}

void queue_ask_window(struct session *control, const struct job *job, int filler, int64_t pages, int passes,
	const char *login, session_answer *answer, void *owner)
{
	struct script *script = queue_script(sql_walk_window);

	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind_int(script, filler);
	script_bind_int(script, pages);
	script_bind_int(script, passes);
	script_bind(script, login);
	queue_ask(control, script, answer, owner);
}

bool queue_read_window(const struct reply *reply, struct queue_window *ret_window)
{
	if (reply_rows(reply, 0) == 0)
		return false;
	ret_window->oid = (uint32_t)reply_int(reply, 0, 0, "relation", 0);
	ret_window->leaf = reply_text(reply, 0, 0, "leaf");
	ret_window->gone = reply_bool(reply, 0, 0, "gone");
	ret_window->bookmark = (struct window_bookmark){
		.from_page = reply_int(reply, 0, 0, "window_from", 0),
		.end_page = reply_int(reply, 0, 0, "window_to", 0),
		.passes = (int)reply_int(reply, 0, 0, "passes", 1),
		.pass = (int)reply_int(reply, 0, 0, "pass", 0),
		.page = reply_int(reply, 0, 0, "page", 0),
	};
	return true;
}

void queue_leave(struct session *control, const struct job *job, int filler, uint32_t oid,
	session_answer *answer, void *owner)
{
	struct script *script = queue_script(sql_walk_leave);

	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind_int(script, filler);
	script_bind_int(script, oid);
	queue_ask(control, script, answer, owner);
}
