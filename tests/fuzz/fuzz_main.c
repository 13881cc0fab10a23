/*
 * Replays corpus folders and files through a fuzz target, where there is no libFuzzer: each file as it is,
 * and cut off at every byte, which is what a torn write leaves.
 */
#include "common/memory.h"
#include "common/text.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* An exact copy, so that the sanitizers see every byte read beyond it. */
static void feed(const char *bytes, size_t length)
{
	uint8_t *copy = memory_new(length ? length : 1);

	if (length)
		memcpy(copy, bytes, length);
	LLVMFuzzerTestOneInput(copy, length);
	free(copy);
}

static bool replay_file(const char *path)
{
	FILE *file = fopen(path, "re");
	struct text bytes = {0};
	char part[4096];
	size_t got;

	if (!file) {
		perror(path);
		return false;
	}
	while ((got = fread(part, 1, sizeof(part), file)) > 0)
		text_add_bytes(&bytes, part, got);
	fclose(file);
	for (size_t length = 0; length <= bytes.length; length++)
		feed(text_is(&bytes), length);
	text_free(&bytes);
	return true;
}

/* Files replayed, or -1. */
static int replay_folder(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	int count = 0;

	if (!folder) {
		perror(path);
		return -1;
	}
	while (count >= 0 && (entry = readdir(folder))) {
		char *file;

		if (entry->d_name[0] == '.')
			continue;
		file = memory_textf("%s/%s", path, entry->d_name);
		count = replay_file(file) ? count + 1 : -1;
		free(file);
	}
	closedir(folder);
	return count;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int count = replay_folder(argv[i]);

		if (count <= 0) {
			fprintf(stderr, "%s: nothing was replayed\n", argv[i]);
			return 1;
		}
		printf("%s: %d files, and each cut off everywhere\n", argv[i], count);
	}
	return argc > 1 ? 0 : 1;
}
