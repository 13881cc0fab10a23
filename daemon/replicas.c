#include "daemon/replicas.h"

#include "common/memory.h"
#include "daemon/lag.h"

#include <stdlib.h>
#include <string.h>

/* So long, and half as long again, a connection that was cut is still shown as a replica
 * (wal_sender_timeout). */
#define LINGERS_MS 90000

struct replica {
	char *name;
	size_t source;
	uint64_t position;
	int64_t seen_ms;
	int listed;       /* of that name in the newest list */
	int expected;     /* that are waited for */
	int64_t full_ms;  /* when so many were there */
	int64_t more_ms;  /* since when there are more; 0: there are not */
	int64_t grown_ms; /* when they were more than before; 0: never while somebody looked */
	bool is_cascade;  /* the source itself, which stays known */
	bool let_go;      /* such a one only */
};

struct replicas {
	struct replicas_rules rules;
	struct lag_ring ring;
	int64_t *begun_ms; /* of each source's newest list */
	bool *kept;        /* nobody of this source is let go */
	bool is_first;     /* what is noted now is a source's first list */
	struct replica *known;
	size_t count;
	struct signals_replica *told; /* what the signals point to */
};

static struct replica *add(struct replicas *replicas, const char *name, size_t source)
{
	struct replica *replica;

	replicas->known = memory_resize(replicas->known, (replicas->count + 1) * sizeof(replicas->known[0]));
	replica = &replicas->known[replicas->count++];
	*replica = (struct replica){.name = memory_text(name), .source = source};
	return replica;
}

struct replicas *replicas_new(const struct replicas_rules *rules)
{
	struct replicas *replicas = memory_new(sizeof(*replicas));

	replicas->rules = *rules;
	replicas->begun_ms = memory_new((rules->cascades + 1) * sizeof(replicas->begun_ms[0]));
	replicas->kept = memory_new((rules->cascades + 1) * sizeof(replicas->kept[0]));
	for (size_t i = 0; i < rules->cascades; i++) {
		char *name = memory_textf("cascades[%zu]", i);

		replicas_keep(replicas, i + 1);
		add(replicas, name, i + 1)->is_cascade = true;
		free(name);
	}
	return replicas;
}

void replicas_free(struct replicas *replicas)
{
	if (!replicas)
		return;
	for (size_t i = 0; i < replicas->count; i++)
		free(replicas->known[i].name);
	free(replicas->known);
	free(replicas->begun_ms);
	free(replicas->kept);
	free(replicas->told);
	free(replicas);
}

void replicas_resume(struct replicas *replicas, int64_t now_ms)
{
	for (size_t i = 0; i < replicas->count; i++)
		replicas->known[i].seen_ms = replicas->known[i].full_ms = now_ms;
}

void replicas_restart(struct replicas *replicas, int64_t now_ms)
{
	replicas_resume(replicas, now_ms);
	for (size_t i = 0; i < replicas->count; i++)
		replicas->known[i].expected = 0;
	replicas->ring.count = 0;
	memset(replicas->begun_ms, 0, (replicas->rules.cascades + 1) * sizeof(replicas->begun_ms[0]));
}

void replicas_note_primary(struct replicas *replicas, int64_t now_ms, uint64_t lsn)
{
	lag_note(&replicas->ring, now_ms, lsn);
}

void replicas_begin(struct replicas *replicas, size_t source, int64_t now_ms)
{
	replicas->is_first = replicas->begun_ms[source] == 0;
	replicas->begun_ms[source] = now_ms;
	replicas->kept[source] = false;
	for (size_t i = 0; i < replicas->count; i++) {
		struct replica *replica = &replicas->known[i];

		if (replica->source != source)
			continue;
		if (replica->listed <= replica->expected)
			replica->more_ms = 0;
		replica->listed = 0;
		if (!replica->is_cascade)
			continue;
		replica->seen_ms = now_ms;
		replica->let_go = false;
	}
}

void replicas_keep(struct replicas *replicas, size_t source)
{
	replicas->kept[source] = true;
}

void replicas_keep_no_more(struct replicas *replicas, size_t source, int64_t now_ms)
{
	if (!replicas->kept[source])
		return;
	replicas->kept[source] = false;
	for (size_t i = 0; i < replicas->count; i++)
		if (replicas->known[i].source == source)
			replicas->known[i].seen_ms = replicas->known[i].full_ms = now_ms;
}

static bool among(char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static struct replica *find(const struct replicas *replicas, const char *name, size_t source)
{
	for (size_t i = 0; i < replicas->count; i++) {
		struct replica *replica = &replicas->known[i];

		if (!replica->is_cascade && replica->source == source && strcmp(replica->name, name) == 0)
			return replica;
	}
	return NULL;
}

/* One more than there were: another one, or the same one twice, whose old connection nobody has closed. */
static void note_more(const struct replicas *replicas, struct replica *replica, int64_t now_ms)
{
	if (replicas->is_first || replica->expected == 0) {
		replica->expected = replica->listed;
		replica->grown_ms = replicas->is_first ? 0 : now_ms;
		return;
	}
	if (replica->more_ms == 0)
		replica->more_ms = now_ms;
	if (now_ms - replica->more_ms <= LINGERS_MS)
		return;
	replica->expected = replica->listed;
	replica->grown_ms = replica->more_ms;
}

bool replicas_want(const struct replicas_rules *rules, const struct replicas_seen *seen)
{
	return rules->all ? !seen->logical : among(rules->listed, rules->listed_count, seen->name);
}

void replicas_note(struct replicas *replicas, size_t source, const struct replicas_seen *seen, int64_t now_ms)
{
	const struct replicas_rules *rules = &replicas->rules;
	bool is_delayed = among(rules->delayed, rules->delayed_count, seen->name);
	uint64_t position = is_delayed ? seen->received : seen->replayed;
	struct replica *replica;

	if (!replicas_want(rules, seen))
		return;
	replica = find(replicas, seen->name, source);
	if (!replica)
		replica = add(replicas, seen->name, source);
	replica->listed++;
	if (replica->listed == 1 || position < replica->position)
		replica->position = position;
	replica->seen_ms = now_ms;
	if (replica->listed > replica->expected)
		note_more(replicas, replica, now_ms);
	if (replica->listed >= replica->expected)
		replica->full_ms = now_ms;
}

void replicas_miss_listed(struct replicas *replicas, int64_t now_ms)
{
	const struct replicas_rules *rules = &replicas->rules;

	for (size_t i = 0; !rules->all && i < rules->listed_count; i++) {
		bool is_known = false;

		for (size_t source = 0; source <= rules->cascades; source++)
			is_known = is_known || find(replicas, rules->listed[i], source);
		if (!is_known)
			add(replicas, rules->listed[i], REPLICAS_OF_PRIMARY)->seen_ms = now_ms - 1;
	}
}

static bool is_there(const struct replicas *replicas, const struct replica *replica, int64_t now_ms)
{
	int64_t begun_ms = replicas->begun_ms[replica->source];

	return begun_ms > 0 && replica->seen_ms == begun_ms && now_ms - begun_ms <= SIGNALS_PULSE_STALE_MS;
}

/* Of several with its name one has vanished, and the rest are there. */
static bool is_short(const struct replica *replica)
{
	return !replica->is_cascade && replica->full_ms < replica->seen_ms;
}

static int64_t gone_since_ms(const struct replica *replica)
{
	return is_short(replica) ? replica->full_ms : replica->seen_ms;
}

/* Has one of that name come since then? */
static bool is_new(const struct replica *replica, int64_t since_ms)
{
	int64_t came_ms = replica->more_ms != 0 ? replica->more_ms : replica->grown_ms;

	return came_ms != 0 && came_ms > since_ms;
}

/* One that streams from another server now: it did not vanish, it moved. There it is new; another replica may
 * well have the same name. */
static bool has_moved(const struct replicas *replicas, const struct replica *replica, int64_t now_ms)
{
	for (size_t source = 0; !replica->is_cascade && source <= replicas->rules.cascades; source++) {
		const struct replica *other = find(replicas, replica->name, source);

		if (other && other != replica && is_there(replicas, other, now_ms) &&
			is_new(other, gone_since_ms(replica) - LINGERS_MS))
			return true;
	}
	return false;
}

static void forget(struct replicas *replicas, size_t at)
{
	free(replicas->known[at].name);
	replicas->count--;
	memmove(
		&replicas->known[at], &replicas->known[at + 1], (replicas->count - at) * sizeof(replicas->known[0]));
}

static void miss_no_more(struct replica *replica)
{
	replica->expected = replica->listed;
	replica->full_ms = replica->seen_ms;
}

static void forget_moved(struct replicas *replicas, int64_t now_ms)
{
	for (size_t i = replicas->count; i-- > 0;) {
		struct replica *replica = &replicas->known[i];
		bool there = is_there(replicas, replica, now_ms);

		if ((there && !is_short(replica)) || !has_moved(replicas, replica, now_ms))
			continue;
		if (there)
			miss_no_more(replica);
		else
			forget(replicas, i);
	}
}

/* Of several of one name those that are there are waited for from now on. */
static char *let_one_go(struct replica *replica)
{
	char *name = memory_textf(
		"%s (%d of %d of this name)", replica->name, replica->expected - replica->listed, replica->expected);

	miss_no_more(replica);
	return name;
}

char *replicas_let_go(struct replicas *replicas, int64_t now_ms, size_t *ret_source)
{
	forget_moved(replicas, now_ms);
	for (size_t i = 0; i < replicas->count; i++) {
		struct replica *replica = &replicas->known[i];
		bool there = is_there(replicas, replica, now_ms);
		char *name;

		if (replicas->kept[replica->source])
			continue;
		if (there && is_short(replica) && now_ms - replica->full_ms > replicas->rules.grace_ms) {
			*ret_source = replica->source;
			return let_one_go(replica);
		}
		if (replica->let_go || there || now_ms - replica->seen_ms <= replicas->rules.grace_ms)
			continue;
		name = memory_text(replica->name);
		*ret_source = replica->source;
		if (replica->is_cascade)
			replica->let_go = true;
		else
			forget(replicas, i);
		return name;
	}
	return NULL;
}

const struct signals_replica *replicas_read(struct replicas *replicas, int64_t now_ms, size_t *ret_count)
{
	size_t count = 0;

	replicas->told = memory_resize(replicas->told, (replicas->count + 1) * sizeof(replicas->told[0]));
	for (size_t i = 0; i < replicas->count; i++) {
		const struct replica *replica = &replicas->known[i];
		bool there = is_there(replicas, replica, now_ms);
		int64_t last_ms = there ? gone_since_ms(replica) : replica->seen_ms;
		int64_t gone_ms = now_ms > last_ms ? now_ms - last_ms : 1;

		if (replica->is_cascade && (there || replica->let_go))
			continue;
		replicas->told[count++] = (struct signals_replica){
			.name = replica->name,
			.source = replica->source,
			.others = replica->listed > 0 ? replica->listed - 1 : 0,
			.lag_ms = replica->is_cascade ? -1 : lag_of(&replicas->ring, now_ms, replica->position),
			.replayed = replica->position,
			.vanished_ago = there && !is_short(replica) ? 0 : gone_ms,
		};
	}
	*ret_count = count;
	return replicas->told;
}
