/*
 * session_hosts: the hosts of a connection string, their names replaced by addresses. Part of the session
 * room; pure.
 *
 * libpq looks names up while everything waits. It need not when each name comes with its address: then the
 * name serves only to verify certificates and to find passwords
 * (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-HOSTADDR). So host=db port=5432
 * becomes host=db,db hostaddr=10.0.0.1,10.0.0.2 port=5432,5432 before libpq sees it.
 */
#ifndef BACKFILLD_COMMON_SESSION_HOSTS_H
#define BACKFILLD_COMMON_SESSION_HOSTS_H

#include "common/base.h"
#include "common/fault.h"
#include "common/resolve.h"

/* One place to connect to; a part that was not given is "". */
struct host {
	char *name; /* or a socket's directory, or an address */
	char *address;
	char *port;
};

/* A zeroed struct has none: libpq's defaults. */
struct hosts {
	struct host *list;
	size_t count;
};

/* Reads libpq's lists host, hostaddr and port, each of which may be NULL. Lists that libpq refuses, since
 * they are not of one length, give no hosts: its words for it are good. */
struct hosts hosts_read(const char *names, const char *addresses, const char *ports) MUST_USE;

/* The names to be looked up, each once, on loan from `hosts`; the array is the caller's. `*ret_names` may
 * become NULL when there are none. */
size_t hosts_names(const struct hosts *hosts, const char ***ret_names) MUST_USE;

/*
 * The hosts with every name replaced by its addresses.
 *	answers		for all of hosts_names()
 *	attempt		counts attempts that ran out of time: each next one begins with the next host and, once all
 *			hosts had their turn, with the next address of each. A host that swallows packets must
 *			not be the first to be tried for ever
 * A name without an address is left out. Fails (FAULT_LINK) when that leaves none; then *ret is untouched.
 */
bool hosts_expand(const struct hosts *hosts, const struct resolved *answers, size_t answer_count,
	size_t attempt, struct hosts *ret, struct fault *why) MUST_USE;

/* The lists for libpq, the caller's; NULL where nothing was given. */
void hosts_write(const struct hosts *hosts, char **ret_names, char **ret_addresses, char **ret_ports);

/* Leaves an empty struct. */
void hosts_free(struct hosts *hosts);

#endif
