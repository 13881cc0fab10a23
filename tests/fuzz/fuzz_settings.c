/*
 * Any bytes as a configuration file: they are taken or refused with a place, nothing leaks, nothing breaks.
 *
 *	clang -fsanitize=fuzzer,address,undefined …		libFuzzer brings main()
 *	otherwise fuzz_main.c replays the corpus
 */
#include "daemon/options.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void must(bool truth)
{
	if (!truth)
		abort();
}

/* `f:12:3: ` */
static bool has_place(const char *message)
{
	char *end;

	if (strncmp(message, "f:", 2) != 0 || strtoul(message + 2, &end, 10) == 0 || *end != ':')
		return false;
	return strtoul(end + 1, &end, 10) > 0 && strncmp(end, ": ", 2) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct options options = {0};
	struct fault why = {0};

	if (options_read_text("f", (const char *)bytes, length, &options, &why)) {
		must(options.databases_count > 0 && options.defaults.lag_target_ms <= options.defaults.max_lag_ms);
		must(why.kind == FAULT_NONE);
	} else {
		must(has_place(why.message) && !options.databases);
	}
	options_free(&options);
	fault_clear(&why);
	return 0;
}
