/*
 * options_table: the inside of `options`: every key of the configuration file, as rows for `settings`.
 *
 * Only options.c includes this.
 */
#ifndef BACKFILLD_DAEMON_OPTIONS_TABLE_H
#define BACKFILLD_DAEMON_OPTIONS_TABLE_H

#include "common/base.h"
#include "common/settings.h"
#include "daemon/options.h"

/* Fills a struct options, but for http_host and http_port. */
const struct settings_table *options_table(void) MUST_USE;

const char *options_table_commit(enum options_commit commit) MUST_USE;

#endif
