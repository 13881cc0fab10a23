#include "common/conninfo.h"

#include "common/memory.h"
#include "common/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return isspace((unsigned char)c);
}

/* Takes both texts. */
static void add(struct conninfo *conninfo, char *keyword, char *value)
{
	conninfo->settings =
		memory_resize(conninfo->settings, (conninfo->count + 1) * sizeof(conninfo->settings[0]));
	conninfo->settings[conninfo->count++] = (struct conninfo_setting){keyword, value};
}

static char *copy_of(const char *from, const char *to)
{
	struct text copy = {0};

	text_add_bytes(&copy, from, (size_t)(to - from));
	return text_take(&copy);
}

/* Moves *at behind the value; a backslash takes the next byte as it is, quoted or not. */
static bool read_value(const char **at, struct text *value)
{
	const char *c = *at;
	bool quoted = *c == '\'';

	if (quoted)
		c++;
	while (*c && (quoted ? *c != '\'' : !is_blank(*c))) {
		if (*c == '\\' && *++c == '\0')
			break;
		text_add_bytes(value, c++, 1);
	}
	if (quoted && *c != '\'')
		return false;
	*at = quoted ? c + 1 : c;
	return true;
}

static bool read_pairs(const char *c, struct conninfo *conninfo, struct fault *why)
{
	while (true) {
		struct text value = {0};
		const char *keyword;
		const char *keyword_end;

		while (is_blank(*c))
			c++;
		if (*c == '\0')
			return true;
		keyword = c;
		while (*c && *c != '=' && !is_blank(*c))
			c++;
		keyword_end = c;
		while (is_blank(*c))
			c++;
		if (*c != '=' || keyword == keyword_end) {
			/* what stands there may be the second half of a password with a blank: not to be shown */
			fault_set(why, FAULT_JOB,
				"not a connection string: a keyword or its \"=\" is missing; expected keyword=value pairs "
				"with blanks between "
				"them (values with blanks in single quotes), or postgresql://…");
			return false;
		}
		for (c++; is_blank(*c); c++)
			;
		if (!read_value(&c, &value)) {
			fault_set(why, FAULT_JOB,
				"not a connection string: a single quote is opened and not closed; expected keyword='value'");
			text_free(&value);
			return false;
		}
		add(conninfo, copy_of(keyword, keyword_end), text_take(&value));
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The bytes up to `end` with %XX decoded, or NULL: bad digits, or %00. */
static char *decoded(const char *c, const char *end)
{
	struct text value = {0};

	while (c < end) {
		char byte = *c++;

		if (byte == '%') {
			int high = c < end ? hex_digit(c[0]) : -1;
			int low = high >= 0 && c + 1 < end ? hex_digit(c[1]) : -1;

			if (low < 0 || (high == 0 && low == 0)) {
				text_free(&value);
				return NULL;
			}
			byte = (char)(high * 16 + low);
			c += 2;
		}
		text_add_bytes(&value, &byte, 1);
	}
	return text_take(&value);
}

static bool add_decoded(
	struct conninfo *conninfo, const char *keyword, const char *from, const char *to, struct fault *why)
{
	char *value = decoded(from, to);

	if (!value) {
		fault_set(why, FAULT_JOB,
			"not a connection URI: a %% is not followed by two hexadecimal digits; expected %%25 for a per "
			"cent "
			"sign");
		return false;
	}
	if (*value)
		add(conninfo, memory_text(keyword), value);
	else
		free(value);
	return true;
}

/* user:password@ */
static bool read_user(const char **at, struct conninfo *conninfo, struct fault *why)
{
	const char *end = *at + strcspn(*at, "@/");
	const char *user_end;

	if (*end != '@')
		return true;
	user_end = *at + strcspn(*at, ":@");
	if (!add_decoded(conninfo, "user", *at, user_end, why))
		return false;
	if (user_end < end && !add_decoded(conninfo, "password", user_end + 1, end, why))
		return false;
	*at = end + 1;
	return true;
}

/* host:port,[host]:port,… into the lists that libpq keeps, separated by commas. */
static bool read_hosts(const char **at, struct conninfo *conninfo, struct fault *why)
{
	struct text hosts = {0};
	struct text ports = {0};
	const char *c = *at;
	bool good;

	while (true) {
		size_t length;

		if (*c == '[') {
			length = strcspn(++c, "]");
			text_add_bytes(&hosts, c, length);
			c += length;
			if (*c != ']' || !strchr(":/?,", c[1])) {
				fault_set(why, FAULT_JOB,
					"not a connection URI: an IPv6 address is not closed; expected [address]:port");
				text_free(&hosts);
				text_free(&ports);
				return false;
			}
			c++;
		} else {
			length = strcspn(c, ":/?,");
			text_add_bytes(&hosts, c, length);
			c += length;
		}
		if (*c == ':') {
			length = strcspn(++c, "/?,");
			text_add_bytes(&ports, c, length);
			c += length;
		}
		if (*c != ',')
			break;
		text_add(&hosts, ",");
		text_add(&ports, ",");
		c++;
	}
	good = add_decoded(conninfo, "host", text_is(&hosts), text_is(&hosts) + hosts.length, why) &&
		   add_decoded(conninfo, "port", text_is(&ports), text_is(&ports) + ports.length, why);
	text_free(&hosts);
	text_free(&ports);
	*at = c;
	return good;
}

/* keyword=value&…: keywords may be percent-encoded as well. */
static bool read_parameters(const char *c, struct conninfo *conninfo, struct fault *why)
{
	while (*c) {
		const char *end = c + strcspn(c, "&");
		const char *equals = memchr(c, '=', (size_t)(end - c));
		char *keyword = equals ? decoded(c, equals) : NULL;
		char *value = equals ? decoded(equals + 1, end) : NULL;

		if (!keyword || !value || memchr(equals + 1, '=', (size_t)(end - equals - 1))) {
			free(keyword);
			free(value);
			fault_set(why, FAULT_JOB,
				"not a connection URI: its parameters cannot be read; expected ?keyword=value&keyword=value");
			return false;
		}
		add(conninfo, keyword, value);
		c = *end ? end + 1 : end;
	}
	return true;
}

static bool read_uri(const char *c, struct conninfo *conninfo, struct fault *why)
{
	if (!read_user(&c, conninfo, why) || !read_hosts(&c, conninfo, why))
		return false;
	if (*c == '/') {
		const char *end = c + 1 + strcspn(c + 1, "?");

		if (!add_decoded(conninfo, "dbname", c + 1, end, why))
			return false;
		c = end;
	}
	return *c != '?' || read_parameters(c + 1, conninfo, why);
}

bool conninfo_read(const char *text, struct conninfo *ret, struct fault *why)
{
	static const char *const schemes[] = {"postgresql://", "postgres://"};
	struct conninfo made = {0};
	const char *after_scheme = NULL;

	for (size_t i = 0; i < COUNT_OF(schemes); i++)
		if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
			after_scheme = text + strlen(schemes[i]);
	if (after_scheme ? !read_uri(after_scheme, &made, why) : !read_pairs(text, &made, why)) {
		conninfo_free(&made);
		return false;
	}
	*ret = made;
	return true;
}

const char *conninfo_secret(const struct conninfo *conninfo)
{
	static const char *const secrets[] = {
		"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"};

	for (size_t i = 0; i < conninfo->count; i++)
		for (size_t s = 0; s < COUNT_OF(secrets); s++)
			if (strcmp(conninfo->settings[i].keyword, secrets[s]) == 0 && *conninfo->settings[i].value)
				return conninfo->settings[i].keyword;
	return NULL;
}

void conninfo_free(struct conninfo *conninfo)
{
	for (size_t i = 0; i < conninfo->count; i++) {
		free(conninfo->settings[i].keyword);
		free(conninfo->settings[i].value);
	}
	free(conninfo->settings);
	*conninfo = (struct conninfo){0};
}
