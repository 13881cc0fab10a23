#include "daemon/options_fit.h"

#include "common/conninfo.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

/* NAMEDATALEN - 1: longer names are cut off by the server, and then match nothing. */
#define LONGEST_NAME 63

/* Always false, to be returned. */
static bool unfit(struct fault *why, const char *message)
{
	fault_set(why, FAULT_JOB, "%s", message);
	return false;
}

/* Stands in every log line and metric: nothing that has to be quoted there. */
bool options_fit_label(const char *text, struct fault *why)
{
	static const char *const good = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
	size_t length = strlen(text);

	if (length == 0 || length > LONGEST_NAME || text[strspn(text, good)] != '\0')
		return unfit(why, "cannot be a label; expected 1 to 63 letters (a to z), digits, dots, - and _");
	return true;
}

static bool has_control_characters(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

static bool fits_name(const char *text, const char *message, struct fault *why)
{
	size_t length = strlen(text);

	return (length > 0 && length <= LONGEST_NAME && !has_control_characters(text)) || unfit(why, message);
}

bool options_fit_role(const char *text, struct fault *why)
{
	return fits_name(text, "cannot be a role; expected a name of 1 to 63 bytes", why);
}

bool options_fit_application(const char *text, struct fault *why)
{
	return fits_name(text, "cannot be an application_name; expected 1 to 63 bytes", why);
}

bool options_fit_replica(const char *text, struct fault *why)
{
	if (strcmp(text, "all") == 0)
		return unfit(why, "all stands in the list; expected it alone (replicas: all)");
	return options_fit_application(text, why);
}

/* The server parses it; here only what can be seen without one. */
bool options_fit_query(const char *text, struct fault *why)
{
	if (*text != '\0' && text[strspn(text, " \t\r\n;")] == '\0')
		return unfit(why, "holds nothing but blanks; expected one SQL query, or \"\" for none");
	return true;
}

bool options_fit_conninfo(const char *text, struct fault *why)
{
	struct conninfo conninfo = {0};
	const char *secret;
	bool good;

	if (!conninfo_read(text, &conninfo, why))
		return false;
	secret = conninfo_secret(&conninfo);
	good = conninfo.count > 0 && !secret;
	if (conninfo.count == 0)
		fault_set(why, FAULT_JOB, "names nothing to connect to; expected at least dbname=… or service=…");
	else if (secret)
		fault_set(why, FAULT_JOB,
			"carries a secret (%s); expected a connection string without one: libpq finds passwords in a "
			"passfile (passfile=… or ~/.pgpass), a service file (service=…) or the environment (PGPASSFILE, "
			"PGPASSWORD)",
			secret);
	conninfo_free(&conninfo);
	return good;
}

bool options_fit_split_http(const char *text, char **ret_host, int *ret_port)
{
	const char *host = text;
	const char *colon = strrchr(text, ':');
	size_t length;
	long port;

	if (!colon || colon[1] < '0' || colon[1] > '9' || strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return false;
	port = strtol(colon + 1, NULL, 10);
	length = (size_t)(colon - text);
	if (length > 2 && text[0] == '[' && colon[-1] == ']') {
		host++;
		length -= 2;
	} else if (memchr(text, ':', length)) {
		return false;
	}
	if (length == 0 || strcspn(host, " []/@\t\r\n") < length || port < 1 || port > 65535)
		return false;
	*ret_host = memory_textf("%.*s", (int)length, host);
	*ret_port = (int)port;
	return true;
}

bool options_fit_http(const char *text, struct fault *why)
{
	char *host;
	int port;

	if (strcmp(text, "off") == 0)
		return true;
	if (!options_fit_split_http(text, &host, &port))
		return unfit(why,
			"is no address to listen at; expected host:port such as 127.0.0.1:9842, a port from 1 "
			"to 65535, IPv6 addresses as [::1]:9842, or off");
	free(host);
	return true;
}
