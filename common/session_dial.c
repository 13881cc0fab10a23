#include "common/session_dial.h"

#include "common/memory.h"
#include "common/sqlstate.h"
#include "common/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Two peers' worth of patience: idle 10 s, then three probes 5 s apart. */
#define KEEPALIVES_IDLE_S "10"
#define KEEPALIVES_INTERVAL_S "5"
#define KEEPALIVES_COUNT "3"

/* Keywords given before the conninfo are its defaults, those after it win (libpq, PQconnectdbParams). */
enum { PARAMETERS_MAX = 12 };

struct parameters {
	const char *names[PARAMETERS_MAX];
	const char *values[PARAMETERS_MAX];
	size_t count;
};

static void set(struct parameters *parameters, const char *name, const char *value)
{
	parameters->names[parameters->count] = name;
	parameters->values[parameters->count++] = value;
}

static bool begins_with(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* libpq takes anything else for the mere name of a database. */
static bool is_connection_string(const char *conninfo)
{
	return strchr(conninfo, '=') || begins_with(conninfo, "postgres://") ||
		   begins_with(conninfo, "postgresql://");
}

/* libpq's own words quote the piece that it stumbled over, which may be a password. */
static void refuse_conninfo(const char *error, struct fault *why)
{
	const char *unknown = error ? strstr(error, "invalid connection option \"") : NULL;
	int length = unknown ? (int)strcspn(unknown, "\n") : 0;

	if (unknown)
		fault_set(why, FAULT_LINK, "the conninfo cannot be used: %.*s", length, unknown);
	else
		fault_set(why, FAULT_LINK, "the conninfo is not a valid connection string");
	fault_set_hint(why,
		"write keyword=value pairs, values with spaces in single quotes, or a postgresql:// URI; see "
		"\"Connection Strings\" in the documentation of libpq");
}

static bool check_conninfo(const char *conninfo, struct fault *why)
{
	char *error = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &error);
	bool good = options || !is_connection_string(conninfo);

	if (!good)
		refuse_conninfo(error, why);
	PQconninfoFree(options);
	PQfreemem(error);
	return good;
}

/*
 * What libpq makes of a conninfo, its service and the environment together; only libpq knows all of that, and
 * it tells only by a connection. So one is asked for that libpq refuses before it looks at any host, by a
 * channel_binding that there is not. With a password it does not open the passfile for this.
 */
static PQconninfoOption *merged_options(const char *conninfo)
{
	struct parameters parameters = {0};
	PQconninfoOption *options;
	PGconn *refused;

	set(&parameters, "dbname", conninfo);
	set(&parameters, "channel_binding", "none, this is not to connect");
	set(&parameters, "password", "not used");
	set(&parameters, NULL, NULL);
	refused = PQconnectStartParams(parameters.names, parameters.values, 1);
	options = PQconninfo(refused);
	PQfinish(refused);
	return options;
}

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val;
	return NULL;
}

static struct hosts read_hosts(const PQconninfoOption *options)
{
	return hosts_read(
		option_value(options, "host"), option_value(options, "hostaddr"), option_value(options, "port"));
}

bool dial_hosts(const char *conninfo, struct hosts *ret_hosts, struct fault *why)
{
	PQconninfoOption *options;

	if (!check_conninfo(conninfo, why))
		return false;
	options = merged_options(conninfo);
	*ret_hosts = read_hosts(options);
	PQconninfoFree(options);
	return true;
}

static PGconn *start(const char *conninfo, const char *name, const struct hosts *hosts)
{
	struct parameters parameters = {0};
	char *host, *address, *port;
	PGconn *conn;

	hosts_write(hosts, &host, &address, &port);
	set(&parameters, "fallback_application_name", name);
	set(&parameters, "keepalives_idle", KEEPALIVES_IDLE_S);
	set(&parameters, "keepalives_interval", KEEPALIVES_INTERVAL_S);
	set(&parameters, "keepalives_count", KEEPALIVES_COUNT);
	set(&parameters, "dbname", conninfo);
	set(&parameters, "client_encoding", "UTF8");
	set(&parameters, "host", host);
	set(&parameters, "hostaddr", address);
	set(&parameters, "port", port);
	set(&parameters, NULL, NULL);
	conn = PQconnectStartParams(parameters.names, parameters.values, 1);
	free(host);
	free(address);
	free(port);
	return conn;
}

bool dial_start(
	const char *conninfo, const char *name, const struct hosts *hosts, PGconn **ret_conn, struct fault *why)
{
	PGconn *conn = start(conninfo, name, hosts);

	if (PQstatus(conn) == CONNECTION_BAD) {
		dial_fault(conn, why);
		PQfinish(conn);
		return false;
	}
	/* libpq tells the SQLSTATE of a refused connection only inside a verbose message: see add_line(). */
	PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	*ret_conn = conn;
	return true;
}

/* Finds "SEVERITY:  SQLSTATE: " in a verbose message. */
static const char *find_sqlstate(const char *line, size_t length)
{
	for (size_t i = 0; i + 10 <= length; i++) {
		size_t digits = 0;

		if (strncmp(line + i, ":  ", 3) != 0)
			continue;
		while (digits < 5 &&
			   (isupper((unsigned char)line[i + 3 + digits]) || isdigit((unsigned char)line[i + 3 + digits])))
			digits++;
		if (digits == 5 && line[i + 8] == ':' && line[i + 9] == ' ')
			return line + i + 3;
	}
	return NULL;
}

struct story {
	struct text message;
	char sqlstate[6];
	char *hint;
};

/* "connection to … failed: FATAL:  28P01: sentence" gives the code, and the message without the middle. */
static void add_refusal(struct story *story, const char *line, size_t length, const char *sqlstate)
{
	const char *sentence = sqlstate + 7;
	const char *severity = sqlstate - 3;

	memcpy(story->sqlstate, sqlstate, 5);
	while (severity > line && severity[-1] != ' ')
		severity--;
	text_add_bytes(&story->message, line, (size_t)(severity - line));
	text_add_bytes(&story->message, sentence, length - (size_t)(sentence - line));
}

/* Several hosts give several lines; indented ones are libpq's general advice. */
static void add_line(struct story *story, const char *line, size_t length)
{
	const char *sqlstate = find_sqlstate(line, length);

	if (length == 0 || line[0] == '\t' || begins_with(line, "LOCATION:") || begins_with(line, "DETAIL:"))
		return;
	if (begins_with(line, "HINT:  ")) {
		free(story->hint);
		story->hint = memory_textf("%.*s", (int)length - 7, line + 7);
		return;
	}
	if (story->message.length)
		text_add(&story->message, "; ");
	if (sqlstate)
		add_refusal(story, line, length, sqlstate);
	else
		text_add_bytes(&story->message, line, length);
}

static void read_story(struct story *story, const char *message)
{
	while (*message) {
		size_t length = strcspn(message, "\n");

		add_line(story, message, length);
		message += length;
		if (*message)
			message++;
	}
	if (!story->message.length)
		text_add(&story->message, "no reason was given");
}

struct hint {
	const char *words;
	const char *text;
};

/* Failures that libpq reports itself, by its untranslated words (nobody here calls setlocale()). */
static const struct hint hints[] = {
	{"could not parse network address", "hostaddr takes numeric addresses only; put names into host"},
	{"no password supplied",
		"put the password into the passfile (PGPASSFILE or ~/.pgpass, mode 0600) or a service file"},
	{"Connection refused", "check that the server runs and listens there: host and port in the conninfo, "
						   "listen_addresses on the server"},
	{"No such file or directory",
		"check that the server runs and has its socket there: host and port in the conninfo, "
		"unix_socket_directories on the server"},
	{"Permission denied", "let this operating system user reach the socket's directory"},
	{"No route to host", "check the network and firewalls between this machine and the server"},
	{"Network is unreachable", "check the network and firewalls between this machine and the server"},
	{"session is read-only", "none of the hosts takes writes now; the connection is tried again by itself"},
	{"hot standby mode", "none of the hosts takes writes now; the connection is tried again by itself"},
	{"certificate", "check sslrootcert, sslcert and sslmode in the conninfo"},
	{"SSL", "check sslmode in the conninfo and ssl on the server"},
	{"definition of service", "add the service to the service file (PGSERVICEFILE, ~/.pg_service.conf)"},
};

static const char *find_hint(const struct story *story)
{
	const char *hint = story->sqlstate[0] ? sqlstate_connect_hint(story->sqlstate) : NULL;

	for (size_t i = 0; !hint && i < COUNT_OF(hints); i++)
		if (strstr(text_is(&story->message), hints[i].words))
			hint = hints[i].text;
	return hint ? hint : story->hint;
}

/* NULL for an address that was not given together with a name. */
static const char *name_of(const struct hosts *hosts, const char *address, size_t length)
{
	for (size_t i = 0; i < hosts->count; i++)
		if (strlen(hosts->list[i].address) == length &&
			strncmp(hosts->list[i].address, address, length) == 0 && *hosts->list[i].name)
			return hosts->list[i].name;
	return NULL;
}

/* Of a host with name and address libpq tells the address alone: server at "10.0.0.1". It becomes what libpq
 * says of names that it looked up itself: server at "db" (10.0.0.1). */
static void add_names(struct text *message, const struct hosts *hosts)
{
	static const char before[] = "server at \"";
	struct text named = {0};
	const char *rest = text_is(message);

	for (const char *at = strstr(rest, before); at; at = strstr(rest, before)) {
		const char *address = at + strlen(before);
		size_t length = strcspn(address, "\"");
		const char *name = name_of(hosts, address, length);

		text_add_bytes(&named, rest, (size_t)(address - rest));
		rest = address;
		if (name && address[length] == '"') {
			text_addf(&named, "%s\" (%.*s)", name, (int)length, address);
			rest = address + length + 1;
		}
	}
	text_add(&named, rest);
	text_free(message);
	*message = named;
}

void dial_fault(PGconn *conn, struct fault *why)
{
	PQconninfoOption *options = PQconninfo(conn);
	struct hosts hosts = read_hosts(options);
	struct story story = {0};
	const char *hint;

	read_story(&story, PQerrorMessage(conn));
	add_names(&story.message, &hosts);
	fault_set(why, FAULT_LINK, "%s", text_is(&story.message));
	memcpy(why->sqlstate, story.sqlstate, sizeof(why->sqlstate));
	hint = find_hint(&story);
	if (hint)
		fault_set_hint(why, "%s", hint);
	text_free(&story.message);
	free(story.hint);
	hosts_free(&hosts);
	PQconninfoFree(options);
}

/* libpq adds to what it said before, about statements that failed long ago: only the last sentence counts. */
void dial_loss(const PGconn *conn, struct fault *why)
{
	const char *message = PQerrorMessage(conn);
	const char *last = "the connection is gone";
	size_t last_length = strlen(last);

	while (*message) {
		size_t length = strcspn(message, "\n");

		if (length > 0 && message[0] != '\t') {
			last = message;
			last_length = length;
		}
		message += length;
		if (*message)
			message++;
	}
	fault_set(why, FAULT_LINK, "%.*s", (int)last_length, last);
	fault_set_hint(why, "see the server's log; the session connects again by itself");
}
