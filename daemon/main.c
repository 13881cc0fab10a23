/*
 * main: the command line, the signals, and one director for each database.
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/memory.h"
#include "common/service.h"
#include "common/text.h"
#include "daemon/arguments.h"
#include "daemon/check.h"
#include "daemon/director.h"
#include "daemon/install.h"
#include "daemon/options.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum exit_code { EXIT_DONE = 0, EXIT_JOB_FAILED = 1, EXIT_BAD_OPTIONS = 2, EXIT_CANNOT_GO_ON = 3 };

/* The promise is 2 s: what has not come to rest by then is closed, and resumed at the next start. */
#define STOP_WITHIN_MS 1900
#define STATUS_EVERY_MS 1000
/* --once does not wait for ever for a database that cannot be served. */
#define ONCE_PATIENCE_MS 30000

struct program {
	const char *config;
	bool once;
	struct loop *loop;
	struct options options;
	char *holder;
	struct director **directors;
	size_t directors_count;
	bool *idle; /* of each director, for --once */
	bool ready; /* the service manager was told */
	bool stopping;
	bool reloading;
	struct options next; /* of a reload, until the directors have stopped */
	struct loop_timer *hard_stop;
	struct loop_timer *status;
	struct loop_timer *alive;
	struct loop_timer *patience;
	int failures;
};

static void start_directors(struct program *program);
static void when_stopped(struct program *program);

static void tell_status(void *owner)
{
	struct program *program = owner;
	struct text line = {0};

	loop_timer_after(program->status, STATUS_EVERY_MS);
	for (size_t i = 0; i < program->directors_count; i++) {
		const char *trouble = director_trouble(program->directors[i]);

		if (trouble)
			text_addf(
				&line, "%s%s: %s", line.length > 0 ? "; " : "", program->options.databases[i].name, trouble);
		else
			director_describe(program->directors[i], &line);
	}
	service_status(line.length > 0 ? text_is(&line) : "idle: no job to work on");
	text_free(&line);
}

static void tell_alive(void *owner)
{
	struct program *program = owner;

	service_alive();
	loop_timer_after(program->alive, service_watchdog_ms());
}

static void free_directors(struct program *program)
{
	for (size_t i = 0; i < program->directors_count; i++) {
		program->failures += director_failures(program->directors[i]);
		director_free(program->directors[i]);
	}
	free(program->directors);
	free(program->idle);
	program->directors = NULL;
	program->idle = NULL;
	program->directors_count = 0;
}

static void stop(struct program *program)
{
	if (program->stopping)
		return;
	program->stopping = true;
	service_stopping();
	loop_timer_after(program->hard_stop, STOP_WITHIN_MS);
	for (size_t i = 0; i < program->directors_count; i++) {
		/* During a reload some have stopped already, and say so only once. */
		program->idle[i] = program->idle[i] && program->reloading;
		director_stop(program->directors[i]);
	}
	when_stopped(program);
}

static void on_stop_signal(void *owner)
{
	log_info(NULL, "stopping: jobs stay resumable");
	stop(owner);
}

static bool all(const bool *flags, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!flags[i])
			return false;
	}
	return true;
}

/* The directors have put everything down: the new file takes effect as a whole. */
static void finish_reload(void *owner)
{
	struct program *program = owner;

	if (program->stopping || !program->reloading)
		return;
	loop_timer_stop(program->hard_stop);
	free_directors(program);
	options_free(&program->options);
	program->options = program->next;
	program->next = (struct options){0};
	program->reloading = false;
	log_set_level(program->options.log_level);
	start_directors(program);
	log_info(NULL, "the config %s was read again and took effect", program->config);
	service_ready();
}

/* A stop or a reload that takes too long, with a server that does not answer: what is in flight is closed. */
static void stop_now(void *owner)
{
	struct program *program = owner;

	log_warning(NULL, "%s without waiting longer: the server ends what is still in flight",
		program->stopping ? "stopping" : "reloading");
	if (program->stopping)
		loop_stop(program->loop);
	else
		finish_reload(program);
}

static void when_stopped(struct program *program)
{
	if (!all(program->idle, program->directors_count))
		return;
	if (program->stopping)
		loop_stop(program->loop);
	else if (program->reloading) {
		loop_timer_stop(program->hard_stop);
		loop_timer_free(program->patience);
		program->patience = loop_timer_new(program->loop, finish_reload, program);
		loop_timer_after(program->patience, 0);
	}
}

static void on_director(void *owner, struct director *director, enum director_event event)
{
	struct program *program = owner;
	size_t at = 0;

	while (at < program->directors_count && program->directors[at] != director)
		at++;
	if (at == program->directors_count)
		return;
	switch (event) {
	case DIRECTOR_SERVING:
		if (!program->stopping && !program->reloading)
			program->idle[at] = false;
		return;
	case DIRECTOR_IDLE:
		if (program->stopping || program->reloading)
			return;
		program->idle[at] = true;
		if (program->once && all(program->idle, program->directors_count))
			stop(program);
		return;
	case DIRECTOR_STOPPED:
		program->idle[at] = true;
		when_stopped(program);
		return;
	}
}

static void warn_of_idle_options(const struct options *options)
{
	struct text keys = {0};

	options_add_idle(options, &keys);
	if (keys.length > 0)
		log_warning(NULL, "this version does not act on %s of the config", text_is(&keys));
	text_free(&keys);
}

static void start_directors(struct program *program)
{
	size_t count = program->options.databases_count;

	program->directors = memory_new(count * sizeof(struct director *));
	program->idle = memory_new(count * sizeof(bool));
	program->directors_count = count;
	warn_of_idle_options(&program->options);
	for (size_t i = 0; i < count; i++)
		program->directors[i] = director_new(program->loop, &program->options, &program->options.databases[i],
			program->holder, on_director, program);
}

static void on_reload_signal(void *owner)
{
	struct program *program = owner;
	struct fault why = {0};

	if (program->stopping || program->reloading)
		return;
	service_reloading(clock_us());
	if (!options_read(program->config, &program->next, &why)) {
		log_error(NULL, "the config was not taken, the old one stays in force: %s%s%s", why.message,
			why.hint ? "; " : "", why.hint ? why.hint : "");
		fault_clear(&why);
		service_ready();
		return;
	}
	program->reloading = true;
	loop_timer_after(program->hard_stop, STOP_WITHIN_MS);
	for (size_t i = 0; i < program->directors_count; i++) {
		program->idle[i] = false;
		director_stop(program->directors[i]);
	}
}

static void lose_patience(void *owner)
{
	struct program *program = owner;

	for (size_t i = 0; i < program->directors_count; i++) {
		if (!director_trouble(program->directors[i]))
			continue;
		log_error(NULL, "giving up (--once): database %s is not served: %s",
			program->options.databases[i].name, director_trouble(program->directors[i]));
		program->failures++;
	}
	if (program->failures > 0)
		stop(program);
	else
		loop_timer_after(program->patience, ONCE_PATIENCE_MS);
}

/* Unique for each start: a claim never outlives the process that made it. */
static char *make_holder(void)
{
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	return memory_textf("%s/%d/%08llx", host, (int)getpid(), (unsigned long long)clock_us() & 0xffffffff);
}

static int serve(struct program *program)
{
	struct loop *loop = program->loop = loop_new();
	int code = EXIT_DONE;

	srandom((unsigned)clock_us() ^ (unsigned)getpid());
	program->holder = make_holder();
	program->hard_stop = loop_timer_new(loop, stop_now, program);
	program->status = loop_timer_new(loop, tell_status, program);
	program->alive = loop_timer_new(loop, tell_alive, program);
	program->patience = loop_timer_new(loop, lose_patience, program);
	loop_on_signal(loop, SIGTERM, on_stop_signal, program);
	loop_on_signal(loop, SIGINT, on_stop_signal, program);
	loop_on_signal(loop, SIGHUP, on_reload_signal, program);
	signal(SIGPIPE, SIG_IGN);
	log_info(NULL, "backfilld %s started as %s", BACKFILLD_VERSION, program->holder);
	start_directors(program);
	service_ready();
	loop_timer_after(program->status, 0);
	if (service_watchdog_ms() > 0)
		loop_timer_after(program->alive, service_watchdog_ms());
	if (program->once)
		loop_timer_after(program->patience, ONCE_PATIENCE_MS);
	if (!loop_run(loop))
		code = EXIT_CANNOT_GO_ON;
	free_directors(program);
	if (code == EXIT_DONE && program->once && program->failures > 0)
		code = EXIT_JOB_FAILED;
	loop_timer_free(program->hard_stop);
	loop_timer_free(program->status);
	loop_timer_free(program->alive);
	loop_timer_free(program->patience);
	loop_free(loop);
	free(program->holder);
	log_info(NULL, "stopped");
	return code;
}

static int run(struct program *program, enum arguments_mode mode)
{
	switch (mode) {
	case ARGUMENTS_INSTALL:
		return install_run(&program->options);
	case ARGUMENTS_UNINSTALL:
		return install_undo(&program->options);
	case ARGUMENTS_CHECK:
		return check_run(&program->options);
	case ARGUMENTS_ONCE:
		program->once = true;
		return serve(program);
	case ARGUMENTS_SERVE:
		return serve(program);
	}
	return EXIT_BAD_OPTIONS;
}

int main(int count, char **values)
{
	struct program program = {0};
	struct arguments arguments;
	struct fault why = {0};
	int code;

	if (!arguments_read(count, values, &arguments, &code))
		return code;
	program.config = arguments.config;
	if (!options_read(program.config, &program.options, &why)) {
		fprintf(
			stderr, "backfilld: %s%s%s\n", why.message, why.hint ? "\nhint: " : "", why.hint ? why.hint : "");
		fault_clear(&why);
		return EXIT_BAD_OPTIONS;
	}
	log_open(program.options.log_level);
	code = run(&program, arguments.mode);
	options_free(&program.next);
	options_free(&program.options);
	return code;
}
