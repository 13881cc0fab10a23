#include "common/quote.h"

#include <string.h>

void quote_name(struct text *sql, const char *name)
{
	text_add(sql, "\"");
	for (; *name; name++) {
		text_add_bytes(sql, name, 1);
		if (*name == '"')
			text_add_bytes(sql, name, 1);
	}
	text_add(sql, "\"");
}

void quote_literal(struct text *sql, const char *value)
{
	text_add(sql, strchr(value, '\\') ? "E'" : "'");
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			text_add_bytes(sql, value, 1);
		text_add_bytes(sql, value, 1);
	}
	text_add(sql, "'");
}

void quote_body(struct text *sql, const char *body)
{
	struct text closed = {0}; /* as it will stand before the end of its closing tag */
	struct text tag = {0};
	int number = 0;

	text_addf(&closed, "%s$", body);
	do {
		text_clear(&tag);
		text_addf(&tag, "$body%d$", number++);
	} while (strstr(text_is(&closed), text_is(&tag)));
	text_addf(sql, "%s%s%s", text_is(&tag), body, text_is(&tag));
	text_free(&tag);
	text_free(&closed);
}
