#include "tests/unit/pacer_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void plant_begin(struct plant *plant)
{
	*plant = (struct plant){.want = AS_MUCH_AS_MAY, .written = {1e9}};
	pacer_start(&plant->pacer);
}

void plant_add(struct plant *plant, size_t i, const char *name, double speed)
{
	plant->replicas[i] =
		(struct plant_replica){.name = name, .speed = speed, .replayed = plant->written[plant->step]};
}

static int64_t lag_of(const struct plant *plant, const struct plant_replica *replica)
{
	int step = plant->step;

	if (replica->unknown)
		return -1;
	while (step > 0 && plant->written[step - 1] > replica->replayed)
		step--;
	return plant->written[plant->step] > replica->replayed ? (plant->step - step) * STEP_MS : 0;
}

/* Where it is after so much work. */
static double replay_further(const struct plant *plant, double replayed, double work)
{
	int step = plant->step;

	while (step > 0 && plant->written[step - 1] > replayed)
		step--;
	for (; step <= plant->step; step++) {
		double mix = plant->mix[step] > 0.0 ? plant->mix[step] : 1.0;
		double left = fmax(plant->written[step] - replayed, 0.0);

		if (left >= work * mix)
			return replayed + work * mix;
		replayed += left;
		work -= left / mix;
	}
	return replayed;
}

static size_t replay(struct plant *plant, struct signals_replica *seen)
{
	size_t count = 0;
	bool late = false, good = true;

	for (size_t i = 0; i < REPLICAS; i++) {
		struct plant_replica *replica = &plant->replicas[i];
		int64_t lag_ms;

		if (!replica->name)
			continue;
		if (!replica->gone)
			replica->replayed =
				replay_further(plant, replica->replayed, replica->speed * MB * STEP_MS / 1000.0);
		lag_ms = lag_of(plant, replica);
		seen[count++] = (struct signals_replica){.name = replica->name,
			.lag_ms = lag_ms,
			.replayed = (uint64_t)replica->replayed,
			.vanished_ago = replica->gone ? 5000 : 0};
		late = late || lag_ms > MAX_LAG_MS;
		good = good && lag_ms <= MAX_LAG_MS / 2;
		plant->lag_most_ms = fmax(plant->lag_most_ms, (double)lag_ms);
	}
	if (late && !plant->closed) {
		plant->closings++;
		pacer_overloaded(&plant->pacer);
	}
	plant->closed = late || (plant->closed && !good);
	return count;
}

void plant_step(struct plant *plant)
{
	struct signals_replica seen[REPLICAS];
	struct signals signals = {.replicas = seen};
	const struct pacer_flow *flows = plant->pacer.flows;
	double images = plant->images > 0.0 ? plant->images : 1.0;
	double may = fmin(flows[PACER_BYTES].allowance, flows[PACER_PLAIN].allowance * images);
	double own = plant->closed ? 0.0 : fmin(fmin(plant->want, 1000) * MB, may) * STEP_MS / 1000.0;
	double others = plant->foreground * MB * STEP_MS / 1000.0;

	assert_true(plant->step + 1 < STEPS_MOST);
	plant->step++;
	plant->filled[PACER_BYTES] += own;
	plant->filled[PACER_PLAIN] += own / images;
	plant->written[plant->step] = plant->written[plant->step - 1] + own + others;
	if (own + others > 0.0 && !plant->narrow)
		plant->mix[plant->step] = (own + others) / (own / images + others * fmax(plant->dear, 1.0));
	signals.replicas_count = replay(plant, seen);
	signals.written = signals.flushed = (uint64_t)plant->written[plant->step];
	signals.pulse_ms = 1000 + plant->step * STEP_MS;
	pacer_sample(&plant->pacer, &signals, plant->filled, LAG_TARGET_MS, signals.pulse_ms);
	if (isnan(plant->pacer.flows[PACER_BYTES].allowance) || plant->pacer.flows[PACER_BYTES].allowance < 0.0)
		fail_msg("an allowance of %g", plant->pacer.flows[PACER_BYTES].allowance);
}

double plant_run(struct plant *plant, double seconds)
{
	double before = plant->filled[PACER_BYTES];

	for (int step = 0; step < seconds * 1000 / STEP_MS; step++)
		plant_step(plant);
	return (plant->filled[PACER_BYTES] - before) / MB / seconds;
}

void plant_vacuum(struct plant *plant, double mb, double dear, double seconds)
{
	pacer_accompany(&plant->pacer, true);
	plant->foreground = mb;
	plant->dear = dear;
	plant_run(plant, seconds);
	pacer_accompany(&plant->pacer, false);
	plant->foreground = plant->dear = 0;
}
