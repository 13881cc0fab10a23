/*
 * service: every message, as the service manager gets it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/service.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct manager {
	char folder[64];
	char path[96];
	int socket;
	char said[4096];
};

static int set_up(void **state)
{
	struct manager *manager = memory_new(sizeof(*manager));
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(manager->folder, "/tmp/backfilld-service.XXXXXX");
	assert_non_null(mkdtemp(manager->folder));
	strcpy(manager->path, manager->folder);
	strcat(manager->path, "/notify");
	strcpy(address.sun_path, manager->path);
	manager->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(manager->socket >= 0);
	assert_int_equal(bind(manager->socket, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", manager->path, 1);
	*state = manager;
	return 0;
}

static int tear_down(void **state)
{
	struct manager *manager = *state;

	unsetenv("NOTIFY_SOCKET");
	close(manager->socket);
	unlink(manager->path);
	rmdir(manager->folder);
	free(manager);
	return 0;
}

/* The next message; "" when there is none. */
static const char *heard(struct manager *manager)
{
	ssize_t count = recv(manager->socket, manager->said, sizeof(manager->said) - 1, 0);

	manager->said[count > 0 ? count : 0] = '\0';
	return manager->said;
}

static void every_message_is_what_the_protocol_says(void **state)
{
	struct manager *manager = *state;

	service_ready();
	assert_string_equal(heard(manager), "READY=1");
	service_status("2 jobs: shop.users 61.3 %");
	assert_string_equal(heard(manager), "STATUS=2 jobs: shop.users 61.3 %");
	service_reloading(1234567890123);
	assert_string_equal(heard(manager), "RELOADING=1\nMONOTONIC_USEC=1234567890123");
	service_alive();
	assert_string_equal(heard(manager), "WATCHDOG=1");
	service_stopping();
	assert_string_equal(heard(manager), "STOPPING=1");
	assert_string_equal(heard(manager), "");
}

static void a_status_cannot_carry_another_message(void **state)
{
	struct manager *manager = *state;

	service_status("filling\nREADY=1");
	assert_string_equal(heard(manager), "STATUS=filling READY=1");
}

static void without_a_manager_nothing_is_said(void **state)
{
	struct manager *manager = *state;

	unsetenv("NOTIFY_SOCKET");
	service_ready();
	service_status("x");
	service_reloading(1);
	service_alive();
	service_stopping();
	assert_string_equal(heard(manager), "");
}

static void the_watchdog_is_fed_twice_in_its_time(void **state)
{
	char *pid = memory_textf("%d", (int)getpid());

	(void)state;
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(service_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(service_watchdog_ms(), 15000);
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(service_watchdog_ms(), 15000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(service_watchdog_ms(), 0);
	setenv("WATCHDOG_PID", pid, 1);
	setenv("WATCHDOG_USEC", "rubbish", 1);
	assert_int_equal(service_watchdog_ms(), 0);
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	free(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_message_is_what_the_protocol_says, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_status_cannot_carry_another_message, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_manager_nothing_is_said, set_up, tear_down),
		cmocka_unit_test(the_watchdog_is_fed_twice_in_its_time),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
