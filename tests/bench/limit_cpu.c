/*
 * limit_cpu: lets a process have no more than a share of one processor.
 *
 *	limit_cpu PID PERCENT
 *
 * Stops it whenever it has used more than its share, and lets it go on when that has been made up for: by the
 * processor time that it really got, so that a process which waited for a busy processor does not lose its
 * turn. What it leaves unused is not saved up beyond some milliseconds. With SIGTERM it lets the process go
 * on, and ends.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

/* How much of its share it may save up, or be ahead. */
#define SAVED_US 3000
/* It is looked at no less often than this, and no more often than that. */
#define LONGEST_US 20000
#define SHORTEST_US 200

static int64_t clock_us(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) != 0)
		return -1;
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t within(int64_t least, int64_t value, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

/* Until the signal comes, or the time is up; true: the signal came. */
static bool wait_us(const sigset_t *signals, int64_t us)
{
	struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	return sigtimedwait(signals, NULL, &time) > 0;
}

/* False: the process is gone. */
static bool limit(pid_t pid, clockid_t used_clock, double share, const sigset_t *signals)
{
	int64_t seen = clock_us(CLOCK_MONOTONIC), used = clock_us(used_clock), wait;
	double credit_us = 0;

	do {
		int64_t now = clock_us(CLOCK_MONOTONIC), used_now = clock_us(used_clock);

		if (used_now < 0)
			return false;
		credit_us += share * (double)(now - seen) - (double)(used_now - used);
		if (credit_us > SAVED_US)
			credit_us = SAVED_US;
		seen = now;
		used = used_now;
		if (kill(pid, credit_us > 0 ? SIGCONT : SIGSTOP) != 0)
			return false;
		/* One that goes on cannot use it up any sooner; one that stands has its share back then, and 1 ms. */
		wait = (int64_t)(credit_us > 0 ? credit_us : 1000 - credit_us / share);
	} while (!wait_us(signals, within(SHORTEST_US, wait, LONGEST_US)));
	kill(pid, SIGCONT);
	return true;
}

int main(int count, char **arguments)
{
	pid_t pid = count == 3 ? atoi(arguments[1]) : 0;
	double share = count == 3 ? atof(arguments[2]) / 100 : 0;
	clockid_t used_clock;
	sigset_t signals;

	if (pid <= 0 || share <= 0 || share > 1) {
		fprintf(stderr, "Usage: limit_cpu PID PERCENT\n");
		return 2;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (clock_getcpuclockid(pid, &used_clock) != 0 || !limit(pid, used_clock, share, &signals)) {
		fprintf(stderr, "limit_cpu: process %d: %s\n", (int)pid, strerror(errno));
		return 1;
	}
	return 0;
}
