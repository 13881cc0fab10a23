/*
 * arguments: the command line.
 */
#ifndef BACKFILLD_DAEMON_ARGUMENTS_H
#define BACKFILLD_DAEMON_ARGUMENTS_H

#include "common/base.h"

enum arguments_mode {
	ARGUMENTS_SERVE,
	ARGUMENTS_ONCE,
	ARGUMENTS_CHECK,
	ARGUMENTS_INSTALL,
	ARGUMENTS_UNINSTALL,
};

struct arguments {
	enum arguments_mode mode;
	const char *config; /* on loan from the command line */
};

/*
 * False: there is nothing more to do, what was to be said was printed; *ret_code is what to exit with (0
 * after --help and
 * --version, 2 after a mistake).
 */
bool arguments_read(int count, char **values, struct arguments *ret, int *ret_code) MUST_USE;

#endif
