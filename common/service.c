#include "common/service.h"

#include "common/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

void service_ready(void)
{
	sd_notify(0, "READY=1");
}

void service_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void service_reloading(int64_t now_us)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, now_us);
}

/* A line feed would begin another assignment of the protocol (sd_notify(3)). */
void service_status(const char *line)
{
	char *clean = memory_text(line);

	for (char *at = clean; *at; at++)
		if (*at == '\n')
			*at = ' ';
	sd_notifyf(0, "STATUS=%s", clean);
	free(clean);
}

int64_t service_watchdog_ms(void)
{
	uint64_t limit_us = 0;

	if (sd_watchdog_enabled(0, &limit_us) <= 0)
		return 0;
	return (int64_t)(limit_us / 2000);
}

void service_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}
