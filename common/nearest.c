#include "common/nearest.h"

#include <string.h>

#define LONGEST 63

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t nearest_distance(const char *a, const char *b)
{
	size_t a_length = strlen(a);
	size_t b_length = strlen(b);
	/* edits[i % 3][j]: between the first i bytes of a and the first j of b; a swap looks two rows back */
	size_t edits[3][LONGEST + 1];

	if (a_length > LONGEST || b_length > LONGEST)
		return SIZE_MAX;
	for (size_t i = 0; i <= a_length; i++) {
		size_t *row = edits[i % 3];
		const size_t *above = edits[(i + 2) % 3];
		const size_t *two_above = edits[(i + 1) % 3];

		for (size_t j = 0; j <= b_length; j++) {
			if (i == 0 || j == 0) {
				row[j] = i + j;
				continue;
			}
			row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], two_above[j - 2] + 1);
		}
	}
	return edits[a_length % 3][b_length];
}

const char *nearest_word(const char *word, const char *const *words, size_t count)
{
	size_t allowed = strlen(word) / 3;
	const char *best = NULL;
	size_t best_distance = SIZE_MAX;

	if (allowed == 0)
		allowed = 1;
	for (size_t i = 0; i < count; i++) {
		size_t distance = nearest_distance(word, words[i]);

		if (distance <= allowed && distance < best_distance) {
			best = words[i];
			best_distance = distance;
		}
	}
	return best;
}
