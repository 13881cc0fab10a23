/*
 * log: what stands on stderr, and when lines go to the journal instead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/log.h"
#include "common/memory.h"

#include <fcntl.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAMP "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} UTC "

struct capture {
	int kept; /* the real stderr */
	int read_end;
	char said[4096];
};

static void capture_begin(struct capture *capture)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	capture->kept = dup(STDERR_FILENO);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	capture->read_end = ends[0];
}

/* What was written to stderr since the beginning. */
static const char *capture_end(struct capture *capture)
{
	ssize_t count = read(capture->read_end, capture->said, sizeof(capture->said) - 1);

	capture->said[count > 0 ? count : 0] = '\0';
	dup2(capture->kept, STDERR_FILENO);
	close(capture->kept);
	close(capture->read_end);
	return capture->said;
}

static void assert_matches(const char *text, const char *pattern)
{
	regex_t compiled;
	int outcome;

	assert_int_equal(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0);
	outcome = regexec(&compiled, text, 0, NULL, 0);
	regfree(&compiled);
	if (outcome != 0)
		fail_msg("\"%s\" does not match %s", text, pattern);
}

static void a_line_has_time_level_sentence_and_what_it_is_about(void **state)
{
	struct log_about about = {
		.database = "shop", .job = 7, .table = "public.users", .stage = "filling", .sqlstate = "55P03"};
	struct capture capture;

	(void)state;
	log_open(LOG_LEVEL_INFO);
	capture_begin(&capture);
	log_warning(&about, "cannot lock %s", "it");
	assert_matches(capture_end(&capture), STAMP "warning: cannot lock it "
												"\\(database=shop job=7 table=public.users stage=filling "
												"sqlstate=55P03\\)\n$");
	capture_begin(&capture);
	log_error(&(struct log_about){.job = 7}, "one");
	assert_matches(capture_end(&capture), STAMP "error: one \\(job=7\\)\n$");
	capture_begin(&capture);
	log_info(NULL, "nothing in particular");
	assert_matches(capture_end(&capture), STAMP "info: nothing in particular\n$");
}

static void an_event_is_one_line(void **state)
{
	struct capture capture;

	(void)state;
	log_open(LOG_LEVEL_INFO);
	capture_begin(&capture);
	log_info(NULL, "first\nsecond\r\n2026-01-01 forged");
	assert_matches(capture_end(&capture), STAMP "info: first second  2026-01-01 forged\n$");
}

static void what_is_below_the_level_is_not_written(void **state)
{
	struct capture capture;

	(void)state;
	log_open(LOG_LEVEL_WARNING);
	capture_begin(&capture);
	log_info(NULL, "no");
	log_debug(NULL, "no");
	assert_string_equal(capture_end(&capture), "");
	log_set_level(LOG_LEVEL_DEBUG);
	capture_begin(&capture);
	log_debug(NULL, "yes");
	assert_matches(capture_end(&capture), STAMP "debug: yes\n$");
}

static void lines_go_to_the_journal_only_if_stderr_is_its_stream(void **state)
{
	struct capture capture;
	struct stat status;
	char *stream;

	(void)state;
	capture_begin(&capture);
	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	stream = memory_textf("%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	free(stream);
	log_open(LOG_LEVEL_INFO);
	log_info(&(struct log_about){.database = "test", .job = 1}, "from a unit test of backfilld");
	assert_string_equal(capture_end(&capture), "");

	setenv("JOURNAL_STREAM", "1:2", 1);
	capture_begin(&capture);
	log_open(LOG_LEVEL_INFO);
	log_info(NULL, "another stream");
	assert_matches(capture_end(&capture), "info: another stream\n$");

	setenv("JOURNAL_STREAM", "rubbish", 1);
	capture_begin(&capture);
	log_open(LOG_LEVEL_INFO);
	log_info(NULL, "no stream");
	assert_matches(capture_end(&capture), "info: no stream\n$");
	unsetenv("JOURNAL_STREAM");
	log_open(LOG_LEVEL_INFO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_time_level_sentence_and_what_it_is_about),
		cmocka_unit_test(an_event_is_one_line),
		cmocka_unit_test(what_is_below_the_level_is_not_written),
		cmocka_unit_test(lines_go_to_the_journal_only_if_stderr_is_its_stream),
	};

	unsetenv("JOURNAL_STREAM");
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
