#include "tests/unit/fake_names.h"

#include <assert.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define TURN_US 2000

typedef int getaddrinfo_fn(
	const char *name, const char *service, const struct addrinfo *wanted, struct addrinfo **ret_found);

static atomic_int running, looked_up, on_the_loop;
static atomic_bool released;

static getaddrinfo_fn *real(void)
{
	return (getaddrinfo_fn *)dlsym(RTLD_NEXT, "getaddrinfo");
}

static bool is_numeric(const char *name, const struct addrinfo *wanted)
{
	struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST};
	struct addrinfo *found = NULL;

	if (wanted && (wanted->ai_flags & AI_NUMERICHOST))
		return true;
	if (real()(name, NULL, &numeric, &found) != 0)
		return false;
	freeaddrinfo(found);
	return true;
}

static int answer(
	const char *name, const char *service, const struct addrinfo *wanted, struct addrinfo **ret_found)
{
	int error;

	if (strcmp(name, "nowhere.test") == 0)
		return EAI_NONAME;
	if (strcmp(name, "stalled.test") == 0) {
		while (!atomic_load(&released))
			usleep(TURN_US);
		return real()("127.0.0.1", service, wanted, ret_found);
	}
	if (strcmp(name, "two.test") != 0)
		return real()(name, service, wanted, ret_found);
	error = real()("127.0.0.2", service, wanted, ret_found);
	return error ? error : real()("127.0.0.1", service, wanted, &(*ret_found)->ai_next);
}

int getaddrinfo(
	const char *name, const char *service, const struct addrinfo *wanted, struct addrinfo **ret_found)
{
	int error;

	if (!name || is_numeric(name, wanted))
		return real()(name, service, wanted, ret_found);
	/* In this order: who awaits a lookup may release it next. */
	atomic_fetch_add(&running, 1);
	if (gettid() == getpid())
		atomic_fetch_add(&on_the_loop, 1);
	atomic_fetch_add(&looked_up, 1);
	error = answer(name, service, wanted, ret_found);
	atomic_fetch_sub(&running, 1);
	return error;
}

void fake_names_reset(void)
{
	assert(atomic_load(&running) == 0);
	atomic_store(&released, false);
	atomic_store(&looked_up, 0);
	atomic_store(&on_the_loop, 0);
}

void fake_names_release(void)
{
	atomic_store(&released, true);
	while (atomic_load(&running) > 0)
		usleep(TURN_US);
}

void fake_names_await(int count)
{
	while (atomic_load(&looked_up) < count)
		usleep(TURN_US);
}

int fake_names_looked_up(void)
{
	return atomic_load(&looked_up);
}

int fake_names_on_the_loop(void)
{
	return atomic_load(&on_the_loop);
}
