#include "common/log.h"

#include "common/memory.h"
#include "common/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* The place of a line in our source means nothing to an operator. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

/* Upper bound of the fields that one line can have: see add_fields(). */
#define FIELDS_MAX 8

/* Where lines go is a property of the process, not of a caller: the one piece of state without an owner. */
static struct {
	enum log_level level;
	bool to_journal;
} the_log = {.level = LOG_LEVEL_INFO};

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error";
	case LOG_LEVEL_WARNING:
		return "warning";
	case LOG_LEVEL_INFO:
		return "info";
	case LOG_LEVEL_DEBUG:
		return "debug";
	}
	return "unknown";
}

static int journal_priority(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return LOG_ERR;
	case LOG_LEVEL_WARNING:
		return LOG_WARNING;
	case LOG_LEVEL_INFO:
		return LOG_INFO;
	case LOG_LEVEL_DEBUG:
		return LOG_DEBUG;
	}
	return LOG_ERR;
}

/* systemd.exec(5), JOURNAL_STREAM: device and inode of the stream that it connected to the journal. If our
 * stderr is another one (somebody redirected it) lines belong there. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device;
	uintmax_t inode;
	struct stat status;

	if (!stream || sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) != 2)
		return false;
	if (fstat(STDERR_FILENO, &status) != 0)
		return false;
	return status.st_dev == device && status.st_ino == inode;
}

void log_open(enum log_level level)
{
	the_log.level = level;
	the_log.to_journal = stderr_is_journal();
}

void log_set_level(enum log_level level)
{
	the_log.level = level;
}

static void add_field(struct iovec *fields, int *count, const char *name, const char *value)
{
	char *field;

	if (!value)
		return;
	field = memory_textf("%s=%s", name, value);
	fields[(*count)++] = (struct iovec){.iov_base = field, .iov_len = strlen(field)};
}

static bool send_to_journal(enum log_level level, const struct log_about *about, const char *sentence)
{
	struct iovec fields[FIELDS_MAX];
	int count = 0;
	char *priority = memory_textf("%d", journal_priority(level));
	char *job = about->job ? memory_textf("%" PRId64, about->job) : NULL;
	int outcome;

	add_field(fields, &count, "MESSAGE", sentence);
	add_field(fields, &count, "PRIORITY", priority);
	add_field(fields, &count, "SYSLOG_IDENTIFIER", program_invocation_short_name);
	add_field(fields, &count, "DATABASE", about->database);
	add_field(fields, &count, "JOB", job);
	add_field(fields, &count, "TABLE", about->table);
	add_field(fields, &count, "STAGE", about->stage);
	add_field(fields, &count, "SQLSTATE", about->sqlstate && *about->sqlstate ? about->sqlstate : NULL);
	outcome = sd_journal_sendv(fields, count);
	while (count > 0)
		free(fields[--count].iov_base);
	free(job);
	free(priority);
	return outcome >= 0;
}

/* Not clock.h: that is the time by which the daemon acts, this is the calendar that people read. */
static void add_time(struct text *line)
{
	struct timespec now;
	struct tm parts;
	char date[sizeof("2026-11-22 03:12:55")];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	if (strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &parts) == 0)
		date[0] = '\0';
	text_addf(line, "%s.%03ld UTC ", date, now.tv_nsec / 1000000);
}

static void add_remark(struct text *remarks, const char *name, const char *value)
{
	if (value && *value)
		text_addf(remarks, "%s%s=%s", remarks->length ? " " : "", name, value);
}

static void add_remarks(struct text *line, const struct log_about *about)
{
	struct text remarks = {0};

	add_remark(&remarks, "database", about->database);
	if (about->job)
		text_addf(&remarks, "%sjob=%" PRId64, remarks.length ? " " : "", about->job);
	add_remark(&remarks, "table", about->table);
	add_remark(&remarks, "stage", about->stage);
	add_remark(&remarks, "sqlstate", about->sqlstate);
	if (remarks.length)
		text_addf(line, " (%s)", text_is(&remarks));
	text_free(&remarks);
}

static void write_to_stderr(enum log_level level, const struct log_about *about, const char *sentence)
{
	struct text line = {0};

	add_time(&line);
	text_addf(&line, "%s: %s", level_name(level), sentence);
	add_remarks(&line, about);
	for (size_t i = 0; i < line.length; i++)
		if (line.bytes[i] == '\n' || line.bytes[i] == '\r')
			line.bytes[i] = ' ';
	text_add(&line, "\n");
	fputs(text_is(&line), stderr);
	text_free(&line);
}

static void log_values(enum log_level level, const struct log_about *about, const char *format,
	va_list values) __attribute__((format(printf, 3, 0)));

static void log_values(
	enum log_level level, const struct log_about *about, const char *format, va_list values)
{
	static const struct log_about nothing = {0};
	char *sentence = NULL;

	if (level > the_log.level)
		return;
	if (vasprintf(&sentence, format, values) < 0)
		return;
	if (!about)
		about = &nothing;
	if (!the_log.to_journal || !send_to_journal(level, about, sentence))
		write_to_stderr(level, about, sentence);
	free(sentence);
}

void log_error(const struct log_about *about, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	log_values(LOG_LEVEL_ERROR, about, format, values);
	va_end(values);
}

void log_warning(const struct log_about *about, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	log_values(LOG_LEVEL_WARNING, about, format, values);
	va_end(values);
}

void log_info(const struct log_about *about, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	log_values(LOG_LEVEL_INFO, about, format, values);
	va_end(values);
}

void log_debug(const struct log_about *about, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	log_values(LOG_LEVEL_DEBUG, about, format, values);
	va_end(values);
}
