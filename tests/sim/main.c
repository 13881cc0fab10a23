/*
 * Runs the scenarios, prints TAP and the figures as a table.
 *
 *	simulator [--trace NAME | --laws [NAME…] | NAME…]
 *
 * Without names all of them; with --trace one, as CSV; with --laws beside what other laws make of them.
 */
#include "tests/sim/scenarios.h"

#include "common/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say_head(const char *first)
{
	printf("# %-26s %7s %7s %7s %7s %8s %6s %9s %7s %7s %6s\n", first, "lag p99", "lag max", "p99", "max",
		"headroom", "busy", "throttled", "impact", "p95", "duty");
	printf("# %-26s %7s %7s %7s %7s %8s %6s %9s %7s %7s %6s\n", "", "ms", "ms", "p99 ms", "max ms", "%", "%",
		"%", "%", "%", "");
}

static void say_figures(const char *name, const struct figures *figures)
{
	printf("# %-26s %7.0f %7.0f %7.0f %7.0f %8.1f %6.1f %9.1f %7.1f %7.1f %6.3f\n", name, figures->lag_p99_ms,
		figures->lag_max_ms, figures->later_p99_ms, figures->later_max_ms, figures->headroom, figures->busy,
		figures->throttled, figures->impact, figures->impact_p95, figures->duty);
}

/* Returns whether all was well. */
static bool run(const struct scenario *scenario, int number)
{
	struct scene *scene = memory_new(sizeof(*scene));
	bool well;

	scene_run(scene, scenario, LAW_PACE, NULL);
	scene_judge(scene);
	well = scene->complaints_count == 0;
	printf("%s %d - %s: %s\n", well ? "ok" : "not ok", number, scenario->name, scenario->what);
	for (size_t i = 0; i < scene->complaints_count; i++)
		printf("# %s\n", scene->complaints[i]);
	say_figures(scenario->name, &scene->figures);
	scene_end(scene);
	free(scene);
	return well;
}

/* Our law beside others on the same plant. */
static struct figures compare(const struct scenario *scenario)
{
	struct scene *scene = memory_new(sizeof(*scene));
	struct figures ours = {0};

	say_head(scenario->name);
	for (enum law law = LAW_PACE; law != LAW_NONE; law++) {
		scene_run(scene, scenario, law, NULL);
		say_figures(law_name(law), &scene->figures);
		if (law == LAW_PACE)
			ours = scene->figures;
		scene_end(scene);
	}
	free(scene);
	return ours;
}

static bool run_reference(int number)
{
	struct figures ours = compare(&scenarios_reference);
	bool well = ours.headroom >= 99 && ours.later_p99_ms <= 500;

	printf("%s %d - reference: %s; 99 %% of the headroom and commits 0.5 s later at most (p99)\n",
		well ? "ok" : "not ok", number, scenarios_reference.what);
	return well;
}

/* All scenarios, or those named. */
static bool wanted(const char *name, char **names, int count)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return count == 0;
}

static int run_all(const struct scenarios *groups, size_t count, char **names, int names_count)
{
	int number = 0;
	int failed = 0;

	say_head("scenario");
	for (size_t group = 0; group < count; group++) {
		for (size_t i = 0; i < groups[group].count; i++) {
			if (wanted(groups[group].table[i].name, names, names_count))
				failed += !run(&groups[group].table[i], ++number);
		}
	}
	if (wanted("reference", names, names_count))
		failed += !run_reference(++number);
	printf("1..%d\n", number);
	return failed > 0 || number == 0;
}

/* Other laws know nothing but replicas. */
static int compare_all(const struct scenarios *groups, size_t count, char **names, int names_count)
{
	for (size_t group = 0; group < count; group++) {
		for (size_t i = 0; i < groups[group].count; i++) {
			const struct scenario *scenario = &groups[group].table[i];

			if (scenario->replicas[0].name && wanted(scenario->name, names, names_count))
				compare(scenario);
		}
	}
	return 0;
}

static int trace(const struct scenario *scenario)
{
	struct scene *scene = memory_new(sizeof(*scene));

	scene_run(scene, scenario, LAW_PACE, stdout);
	scene_end(scene);
	free(scene);
	return 0;
}

static int trace_named(const struct scenarios *groups, size_t count, const char *name)
{
	for (size_t group = 0; group < count; group++) {
		for (size_t i = 0; i < groups[group].count; i++) {
			if (strcmp(groups[group].table[i].name, name) == 0)
				return trace(&groups[group].table[i]);
		}
	}
	if (strcmp(name, "reference") == 0)
		return trace(&scenarios_reference);
	fprintf(stderr, "no scenario is called %s\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	const struct scenarios groups[] = {
		scenarios_of_lag(), scenarios_of_gates(), scenarios_of_jobs(), scenarios_of_impact()};

	if (argc == 3 && strcmp(argv[1], "--trace") == 0)
		return trace_named(groups, COUNT_OF(groups), argv[2]);
	if (argc >= 2 && strcmp(argv[1], "--laws") == 0)
		return compare_all(groups, COUNT_OF(groups), argv + 2, argc - 2);
	return run_all(groups, COUNT_OF(groups), argv + 1, argc - 1);
}
