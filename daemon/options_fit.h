/*
 * options_fit: the inside of `options`: what a text of the configuration file must be, beside being a text.
 *
 * Each options_fit_x(text, why) is for a row's `fits`: false with what is wrong and what is expected.
 */
#ifndef BACKFILLD_DAEMON_OPTIONS_FIT_H
#define BACKFILLD_DAEMON_OPTIONS_FIT_H

#include "common/base.h"
#include "common/fault.h"

/* Stands unquoted in every log line and metric: letters, digits, dots, - and _. */
bool options_fit_label(const char *text, struct fault *why) MUST_USE;

/* A libpq connection string without a secret in it; a message never repeats any of its values. */
bool options_fit_conninfo(const char *text, struct fault *why) MUST_USE;

bool options_fit_role(const char *text, struct fault *why) MUST_USE;

bool options_fit_application(const char *text, struct fault *why) MUST_USE;

/* An application_name, not the word all. */
bool options_fit_replica(const char *text, struct fault *why) MUST_USE;

/* Empty, or something to ask; the server parses it. */
bool options_fit_query(const char *text, struct fault *why) MUST_USE;

/* host:port or off. */
bool options_fit_http(const char *text, struct fault *why) MUST_USE;

/* Splits host:port or [address]:port. *ret_host is the caller's; both are untouched on failure. */
bool options_fit_split_http(const char *text, char **ret_host, int *ret_port) MUST_USE;

#endif
