/*
 * service: what the service manager is told; the only includer of sd-daemon.
 *
 * Without a NOTIFY_SOCKET every call does nothing.
 */
#ifndef BACKFILLD_COMMON_SERVICE_H
#define BACKFILLD_COMMON_SERVICE_H

#include "common/base.h"

void service_ready(void);
void service_stopping(void);
/* Type=notify with RELOADING=1 and MONOTONIC_USEC (systemd before 253 has no notify-reload); then
 * service_ready(). */
void service_reloading(int64_t now_us);

/* One line of progress for `systemctl status`. */
void service_status(const char *line);

/* Milliseconds between two signs of life that the watchdog wants (half its limit); 0: no watchdog. */
int64_t service_watchdog_ms(void) MUST_USE;
void service_alive(void);

#endif
