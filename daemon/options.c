/*
 * Reads the file by the table of options_table.c; here is what options must be to each other (check_*).
 */
#include "daemon/options.h"

#include "common/memory.h"
#include "common/settings.h"
#include "daemon/options_fit.h"
#include "daemon/options_table.h"

#include <stdlib.h>
#include <string.h>

static bool check_names(const struct options *made, const struct settings *file, struct fault *why)
{
	for (size_t i = 0; i < made->databases_count; i++)
		for (size_t before = 0; before < i; before++)
			if (strcmp(made->databases[i].name, made->databases[before].name) == 0) {
				char *place = memory_textf("databases[%zu].name", i);

				settings_blame(file, place, why,
					"name \"%s\" is taken by an entry before; expected another one for each database",
					made->databases[i].name);
				free(place);
				return false;
			}
	return true;
}

static const struct options_login *login_of(
	const struct options_database *database, size_t logins_count, const char *role)
{
	for (size_t l = 0; l < logins_count; l++)
		for (size_t r = 0; r < database->logins[l].roles_count; r++)
			if (strcmp(database->logins[l].roles[r], role) == 0)
				return &database->logins[l];
	return NULL;
}

static bool check_login(
	const struct options *made, size_t d, size_t l, const struct settings *file, struct fault *why)
{
	const struct options_login *login = &made->databases[d].logins[l];

	for (size_t r = 0; r < login->roles_count; r++)
		if (login_of(&made->databases[d], l, login->roles[r])) {
			char *place = memory_textf("databases[%zu].logins[%zu].roles[%zu]", d, l, r);

			settings_blame(file, place, why,
				"role \"%s\" has a login before; expected one login for each role of a database",
				login->roles[r]);
			free(place);
			return false;
		}
	return true;
}

static bool check_lag(const struct options *made, const struct settings *file, struct fault *why)
{
	const struct options_knobs *knobs = &made->defaults;

	if (knobs->lag_target_ms <= knobs->max_lag_ms || !settings_has(file, "defaults.lag_target_ms"))
		return true;
	settings_blame(file, "defaults.lag_target_ms", why,
		"lag_target_ms (%d) is above max_lag_ms (%d%s); expected a target at or below the limit, such as "
		"half of it",
		knobs->lag_target_ms, knobs->max_lag_ms,
		settings_has(file, "defaults.max_lag_ms") ? "" : ", the default");
	return false;
}

/* What no option can know alone. */
static bool check(const struct options *made, const struct settings *file, struct fault *why)
{
	if (!check_names(made, file, why) || !check_lag(made, file, why))
		return false;
	for (size_t d = 0; d < made->databases_count; d++)
		for (size_t l = 0; l < made->databases[d].logins_count; l++)
			if (!check_login(made, d, l, file, why))
				return false;
	return true;
}

static bool understand(const struct settings *file, struct options *ret, struct fault *why)
{
	struct options made = {0};

	if (!settings_fill(file, options_table(), &made, why))
		return false;
	if (!check(&made, file, why)) {
		options_free(&made);
		return false;
	}
	/* who lowers the limit alone need not know of the target */
	if (made.defaults.lag_target_ms > made.defaults.max_lag_ms)
		made.defaults.lag_target_ms = made.defaults.max_lag_ms;
	if (!options_fit_split_http(made.http, &made.http_host, &made.http_port))
		made.http_host = NULL; /* the table lets nothing else pass that cannot be split: it is off */
	*ret = made;
	return true;
}

bool options_read(const char *path, struct options *ret, struct fault *why)
{
	struct settings *file;
	bool good;

	if (!settings_open(path, &file, why))
		return false;
	good = understand(file, ret, why);
	settings_close(file);
	return good;
}

bool options_read_text(
	const char *name, const char *bytes, size_t length, struct options *ret, struct fault *why)
{
	struct settings *file;
	bool good;

	if (!settings_open_text(name, bytes, length, &file, why))
		return false;
	good = understand(file, ret, why);
	settings_close(file);
	return good;
}

void options_free(struct options *held)
{
	free(held->http_host);
	settings_free(options_table(), held);
}

const char *options_login_conninfo(const struct options_database *database, const char *role)
{
	const struct options_login *login = login_of(database, database->logins_count, role);

	return login ? login->conninfo : database->conninfo;
}

const char *options_commit_name(enum options_commit commit)
{
	return options_table_commit(commit);
}

void options_describe(struct text *ret)
{
	settings_describe(options_table(), ret);
}

/* What somebody set and relies on must not be passed over in silence. */
void options_add_idle(const struct options *options, struct text *keys)
{
	if (options->http_host && strcmp(options->http, "127.0.0.1:9842") != 0)
		text_add(keys, "http");
}
