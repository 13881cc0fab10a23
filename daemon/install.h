/*
 * install: `--install` and `--uninstall`: schema backfill in every configured database.
 */
#ifndef BACKFILLD_DAEMON_INSTALL_H
#define BACKFILLD_DAEMON_INSTALL_H

#include "common/base.h"
#include "daemon/options.h"

/* Creates or upgrades the schema everywhere; one line a database on stdout. Exit code: 0, or 1 where one
 * failed. */
int install_run(const struct options *options) MUST_USE;

/* Removes it where no job is live; refuses and lists them elsewhere. */
int install_undo(const struct options *options) MUST_USE;

#endif
