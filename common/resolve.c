#include "common/resolve.h"

#include "common/clock.h"
#include "common/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* An answer that came after its deadline serves the next question for that name, unless it is older than
 * this. */
#define FRESH_MS 60000

/* Shared with the thread, which writes the outcome, then `done`, and never looks at it again but to release
 * it. */
struct lookup {
	atomic_int holders;
	atomic_bool done;
	int ready; /* eventfd: becomes readable when it is done */
	char *name;
	int error; /* of getaddrinfo() */
	int system_error;
	struct addrinfo *found;
};

struct inquiry {
	struct lookup *lookup;
	struct loop_watch *watch;
	int64_t began_ms;
};

struct resolve {
	struct loop *loop;
	resolve_fn *fn;
	void *owner;
	struct inquiry *inquiries;
	size_t count;
	struct loop_timer *limit; /* pending while an answer is owed */
	int64_t deadline_ms;
};

/* ---- one name, in a thread ---- */

static void lookup_release(struct lookup *lookup)
{
	if (atomic_fetch_sub(&lookup->holders, 1) > 1)
		return;
	if (lookup->found)
		freeaddrinfo(lookup->found);
	if (lookup->ready >= 0)
		close(lookup->ready);
	free(lookup->name);
	free(lookup);
}

static void *look_up(void *argument)
{
	struct lookup *lookup = argument;
	/* As libpq would ask: addresses of this machine's families, each once. */
	struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

	lookup->error = getaddrinfo(lookup->name, NULL, &wanted, &lookup->found);
	lookup->system_error = errno;
	atomic_store(&lookup->done, true);
	eventfd_write(lookup->ready, 1);
	lookup_release(lookup);
	return NULL;
}

/* Signals are for the loop's thread: the new one is born with all of them blocked. */
static int start_thread(struct lookup *lookup)
{
	pthread_attr_t detached;
	pthread_t thread;
	sigset_t every, before;
	int error = pthread_attr_init(&detached);

	if (error)
		return error;
	sigfillset(&every);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	error = pthread_create(&thread, &detached, look_up, lookup);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&detached);
	return error;
}

static void fail_at_once(struct lookup *lookup, int error)
{
	atomic_store(&lookup->holders, 1);
	lookup->error = EAI_SYSTEM;
	lookup->system_error = error;
	atomic_store(&lookup->done, true);
}

/* Where no thread or descriptor can be had it is done already, with that as its error. */
static struct lookup *lookup_start(const char *name)
{
	struct lookup *lookup = memory_new(sizeof(*lookup));
	int error;

	lookup->name = memory_text(name);
	atomic_init(&lookup->holders, 2);
	atomic_init(&lookup->done, false);
	lookup->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = lookup->ready < 0 ? errno : start_thread(lookup);
	if (error)
		fail_at_once(lookup, error);
	return lookup;
}

/* ---- answers ---- */

static void add_address(struct resolved *answer, const struct addrinfo *found)
{
	char numeric[NI_MAXHOST];

	if (getnameinfo(found->ai_addr, found->ai_addrlen, numeric, sizeof(numeric), NULL, 0, NI_NUMERICHOST) !=
		0)
		return;
	answer->addresses = memory_resize(answer->addresses, (answer->count + 1) * sizeof(answer->addresses[0]));
	answer->addresses[answer->count++] = memory_text(numeric);
}

static const char *reason_of(const struct lookup *lookup)
{
	if (lookup->error == EAI_SYSTEM)
		return strerror(lookup->system_error);
	return lookup->error ? gai_strerror(lookup->error) : "it has no address";
}

static struct resolved describe(const struct lookup *lookup, int64_t deadline_ms)
{
	struct resolved answer = {.name = memory_text(lookup->name)};

	if (!atomic_load(&lookup->done)) {
		answer.reason = memory_textf("no answer within %" PRId64 " ms", deadline_ms);
		return answer;
	}
	if (!lookup->error)
		for (const struct addrinfo *found = lookup->found; found; found = found->ai_next)
			add_address(&answer, found);
	if (answer.count == 0)
		answer.reason = memory_text(reason_of(lookup));
	return answer;
}

static void answers_free(struct resolved *answers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t a = 0; a < answers[i].count; a++)
			free(answers[i].addresses[a]);
		free(answers[i].addresses);
		free(answers[i].name);
		free(answers[i].reason);
	}
	free(answers);
}

static void inquiry_end(struct inquiry *inquiry)
{
	loop_watch_free(inquiry->watch);
	if (inquiry->lookup)
		lookup_release(inquiry->lookup);
	*inquiry = (struct inquiry){0};
}

/* Keeps those that still run, for the next question. */
static void end_inquiries_done(struct resolve *resolve)
{
	size_t kept = 0;

	for (size_t i = 0; i < resolve->count; i++) {
		if (atomic_load(&resolve->inquiries[i].lookup->done))
			inquiry_end(&resolve->inquiries[i]);
		else
			resolve->inquiries[kept++] = resolve->inquiries[i];
	}
	resolve->count = kept;
}

/* Nothing of the resolve is touched after the call: it may be gone. */
static void answer(struct resolve *resolve)
{
	size_t count = resolve->count;
	struct resolved *answers = memory_new(count * sizeof(answers[0]));

	loop_timer_stop(resolve->limit);
	for (size_t i = 0; i < count; i++)
		answers[i] = describe(resolve->inquiries[i].lookup, resolve->deadline_ms);
	end_inquiries_done(resolve);
	resolve->fn(resolve->owner, answers, count);
	answers_free(answers, count);
}

static bool all_done(const struct resolve *resolve)
{
	for (size_t i = 0; i < resolve->count; i++)
		if (!atomic_load(&resolve->inquiries[i].lookup->done))
			return false;
	return true;
}

static void limit_reached(void *owner)
{
	answer(owner);
}

static void lookup_ended(void *owner)
{
	struct resolve *resolve = owner;

	if (loop_timer_pending(resolve->limit) && all_done(resolve))
		answer(resolve);
}

/* ---- questions ---- */

/* Takes over the lookup of this name that an earlier question was not answered by in time. */
static bool take_over(struct resolve *resolve, const char *name, struct inquiry *ret)
{
	for (size_t i = 0; i < resolve->count; i++) {
		struct inquiry *old = &resolve->inquiries[i];

		if (!old->lookup || strcmp(old->lookup->name, name) != 0)
			continue;
		if (atomic_load(&old->lookup->done) && clock_ms() - old->began_ms > FRESH_MS)
			continue;
		*ret = *old;
		*old = (struct inquiry){0};
		return true;
	}
	return false;
}

static struct inquiry begin(struct resolve *resolve, const char *name)
{
	struct inquiry inquiry = {.lookup = lookup_start(name), .began_ms = clock_ms()};

	if (inquiry.lookup->ready >= 0) {
		inquiry.watch = loop_watch_new(resolve->loop, inquiry.lookup->ready, lookup_ended, resolve);
		loop_watch_for(inquiry.watch, true, false);
	}
	return inquiry;
}

static void end_inquiries(struct resolve *resolve)
{
	for (size_t i = 0; i < resolve->count; i++)
		inquiry_end(&resolve->inquiries[i]);
	free(resolve->inquiries);
	resolve->inquiries = NULL;
	resolve->count = 0;
}

void resolve_ask(struct resolve *resolve, const char *const *names, size_t count, int64_t deadline_ms)
{
	struct inquiry *inquiries = memory_new(count * sizeof(inquiries[0]));

	for (size_t i = 0; i < count; i++)
		if (!take_over(resolve, names[i], &inquiries[i]))
			inquiries[i] = begin(resolve, names[i]);
	end_inquiries(resolve);
	resolve->inquiries = inquiries;
	resolve->count = count;
	resolve->deadline_ms = deadline_ms;
	loop_timer_after(resolve->limit, all_done(resolve) ? 0 : deadline_ms);
}

struct resolve *resolve_new(struct loop *loop, resolve_fn *fn, void *owner)
{
	struct resolve *resolve = memory_new(sizeof(*resolve));

	resolve->loop = loop;
	resolve->fn = fn;
	resolve->owner = owner;
	resolve->limit = loop_timer_new(loop, limit_reached, resolve);
	return resolve;
}

void resolve_free(struct resolve *resolve)
{
	if (!resolve)
		return;
	end_inquiries(resolve);
	loop_timer_free(resolve->limit);
	free(resolve);
}
