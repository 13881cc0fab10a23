/*
 * check: `--check`: reads, connects, looks, changes nothing.
 */
#ifndef BACKFILLD_DAEMON_CHECK_H
#define BACKFILLD_DAEMON_CHECK_H

#include "common/base.h"
#include "daemon/options.h"

/* One line a finding on stdout: "ok", "note" or "bad". Exit code: 0, or 1 where something is bad. */
int check_run(const struct options *options) MUST_USE;

#endif
