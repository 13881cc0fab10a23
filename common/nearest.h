/*
 * nearest: the known word that a misspelt one most likely meant.
 */
#ifndef BACKFILLD_COMMON_NEAREST_H
#define BACKFILLD_COMMON_NEAREST_H

#include "common/base.h"

/*
 * Edits that turn one word into the other: a byte put in, left out, replaced, or two neighbours swapped
 * (the optimal string alignment distance; Damerau, CACM 7 (1964) 3, found these to be four in five of
 * all misspellings). Words longer than 63 bytes are never near: SIZE_MAX.
 */
size_t nearest_distance(const char *a, const char *b) MUST_USE;

/*
 * The first of the `count` words with the smallest distance from `word`, if that is at most a third of
 * the length of `word` (and at least 1 edit is always allowed); otherwise NULL. On loan as `words` are.
 */
const char *nearest_word(const char *word, const char *const *words, size_t count) MUST_USE;

#endif
