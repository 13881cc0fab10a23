/*
 * base: what every file may rely on: attributes and small macros, nothing that runs.
 */
#ifndef BACKFILLD_COMMON_BASE_H
#define BACKFILLD_COMMON_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Number of elements of an array (not of a pointer). */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The result says whether it worked: looking away is a bug. */
#define MUST_USE __attribute__((warn_unused_result))

#define PRINTF_LIKE(format_at, values_at) __attribute__((format(printf, format_at, values_at)))
#define NO_RETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))

#endif
