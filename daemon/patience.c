#include "daemon/patience.h"

#define TRY_MS 10000
/* Of the pause before it: what drains slowly needs longer. */
#define TRY_LONGER_BY 6
#define FIRST_PAUSE_MS 60000
#define PAUSE_MOST_MS 600000
#define OPEN_FOR_GOOD_MS 10000
/* Nobody has looked for longer: what was then is not known. */
#define LOOK_MOST_MS 1000

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t since_last_look(struct patience *patience, int64_t now_ms)
{
	int64_t since_ms = patience->looked_ms != 0 ? now_ms - patience->looked_ms : 0;

	patience->looked_ms = now_ms;
	return least(since_ms, LOOK_MOST_MS);
}

static void give_way(struct patience *patience)
{
	patience->gives_way = true;
	patience->vain_ms = patience->paused_ms = 0;
	patience->pause_ms =
		patience->pause_ms > 0 ? least(2 * patience->pause_ms, PAUSE_MOST_MS) : FIRST_PAUSE_MS;
}

void patience_note(struct patience *patience, bool is_open, bool another_goes, int64_t now_ms)
{
	int64_t since_ms = since_last_look(patience, now_ms);

	patience->open_ms = is_open ? patience->open_ms + since_ms : 0;
	if (patience->open_ms >= OPEN_FOR_GOOD_MS) {
		*patience = (struct patience){.looked_ms = now_ms, .open_ms = OPEN_FOR_GOOD_MS};
		return;
	}
	if (!another_goes)
		return;
	if (patience->gives_way) {
		patience->paused_ms += since_ms;
		patience->gives_way = patience->paused_ms < patience->pause_ms;
		return;
	}
	patience->vain_ms = most(patience->vain_ms + (is_open ? -since_ms : since_ms), 0);
	if (patience->vain_ms > TRY_MS + patience->pause_ms / TRY_LONGER_BY)
		give_way(patience);
}
