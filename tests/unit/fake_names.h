/*
 * fake_names: a getaddrinfo() that tests can lead. It takes the C library's place in the whole process, libpq
 * included, and so also sees who would have waited for a name server on the loop's thread.
 *
 *	two.test	127.0.0.2 and then 127.0.0.1
 *	nowhere.test	is not known
 *	stalled.test	127.0.0.1, but not before fake_names_release()
 *
 * Every other name is left to the C library.
 */
#ifndef BACKFILLD_TESTS_UNIT_FAKE_NAMES_H
#define BACKFILLD_TESTS_UNIT_FAKE_NAMES_H

#include "common/base.h"

/* Sets the counts to zero, and lets stalled.test hang. */
void fake_names_reset(void);

/* Answers those who wait for stalled.test, and waits until no lookup is running. */
void fake_names_release(void);

/* Waits until this many names were asked for: a lookup begins a little after its thread was started. */
void fake_names_await(int looked_up);

/* Names (not addresses) looked up; and of these by the thread that the program began with. */
int fake_names_looked_up(void) MUST_USE;
int fake_names_on_the_loop(void) MUST_USE;

#endif
