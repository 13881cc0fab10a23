#include "daemon/arguments.h"

#include "common/text.h"
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>

#define BAD_OPTIONS 2

static const char usage[] =
	"Usage: backfilld [OPTION]...\n"
	"Adds columns to big, busy PostgreSQL tables: INSERT a job into backfill.job, watch it in "
	"backfill.status.\n"
	"\n"
	"  --config FILE  read this YAML file (default: " BACKFILLD_CONFIG ")\n"
	"  --install      create or upgrade schema backfill in every configured database, then exit\n"
	"  --check        connect, check privileges, replicas and schema version, one line a finding; changes "
	"nothing\n"
	"  --once         serve until no job is runnable; exit 1 if a job failed\n"
	"  --uninstall    remove schema backfill where no job is live\n"
	"  --version      print the version\n"
	"  --help         print this text\n"
	"\n"
	"Exit codes: 0 done, 1 a job or a check failed, 2 bad options or config, 3 cannot go on.\n"
	"SIGTERM and SIGINT leave every job resumable and end within 2 s; SIGHUP reads the config again.\n"
	"\n"
	"The config file:\n\n";

static int print_help(void)
{
	struct text options = {0};

	options_describe(&options);
	printf("%s%s", usage, text_is(&options));
	text_free(&options);
	return 0;
}

bool arguments_read(int count, char **values, struct arguments *ret, int *ret_code)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"install", no_argument, NULL, 'i'},
		{"check", no_argument, NULL, 'k'},
		{"once", no_argument, NULL, 'o'},
		{"uninstall", no_argument, NULL, 'u'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;

	*ret = (struct arguments){.mode = ARGUMENTS_SERVE, .config = BACKFILLD_CONFIG};
	*ret_code = 0;
	while ((option = getopt_long(count, values, "c:h", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			ret->config = optarg;
			break;
		case 'i':
			ret->mode = ARGUMENTS_INSTALL;
			break;
		case 'k':
			ret->mode = ARGUMENTS_CHECK;
			break;
		case 'o':
			ret->mode = ARGUMENTS_ONCE;
			break;
		case 'u':
			ret->mode = ARGUMENTS_UNINSTALL;
			break;
		case 'v':
			puts("backfilld " BACKFILLD_VERSION);
			return false;
		case 'h':
			*ret_code = print_help();
			return false;
		default:
			fputs("Try 'backfilld --help'.\n", stderr);
			*ret_code = BAD_OPTIONS;
			return false;
		}
	}
	if (optind < count) {
		fprintf(stderr, "backfilld: unexpected argument '%s'\nTry 'backfilld --help'.\n", values[optind]);
		*ret_code = BAD_OPTIONS;
		return false;
	}
	return true;
}
