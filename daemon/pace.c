#include "daemon/pace_inside.h"

#include "common/memory.h"
#include "daemon/breath.h"
#include "daemon/sizer.h"

#include <math.h>
#include <stdlib.h>

/* A wait as long as this is told to people; shorter ones are only a batch's turn. */
#define TOLD_FROM_MS 1000
#define ASK_AGAIN_MS 100
/* A limit is told once batches wait for half of the time, until it is less than a quarter: told with each
 * turn, it would come and go several times a second. */
#define LIMITED_FROM 0.5
#define LIMITED_UNTIL 0.25
#define LIMITED_S 3.0
/* Batches shrink with what is allowed: none writes more than it may in so long. */
#define BATCH_S 0.12
#define LEAST_BATCH_BYTES (64.0 * 1024.0)
#define USUAL_WEIGHT 0.3
#define FORGET_AFTER_MS 60000
#define FORGET_SPEED 0.99 /* with each batch */
/* Autovacuum's, by PostgreSQL's defaults: 200 credits, then 2 ms of sleep. */
#define USUAL_PART 0.43
#define LEAST_PART 0.2

struct pace *pace_new(void)
{
	struct pace *pace = memory_new(sizeof(*pace));

	pacer_start(&pace->pacer);
	impact_start(&pace->impact, 0);
	return pace;
}

static void share_free(struct pace_share *share)
{
	gate_free(&share->gate);
	text_free(&share->reason);
	free(share->opens_at);
	free(share);
}

void pace_free(struct pace *pace)
{
	if (!pace)
		return;
	while (pace->shares) {
		struct pace_share *share = pace->shares;

		pace->shares = share->next;
		share_free(share);
	}
	pacer_free(&pace->pacer);
	free(pace);
}

/* ---- samples ---- */

/* It makes use of what it is given. */
static bool goes(const struct pace_share *share, int64_t now_ms)
{
	return !share->gate.closed && !share->wish.opens_at && now_ms - share->asked_ms <= TOLD_FROM_MS;
}

static void note_patience(struct pace *pace, int64_t now_ms)
{
	int going = 0;

	for (struct pace_share *share = pace->shares; share; share = share->next)
		going += goes(share, now_ms);
	for (struct pace_share *share = pace->shares; share; share = share->next) {
		share->another_goes = going > goes(share, now_ms);
		if (pace_waits_for_itself(share) || pace->shares_count == 1)
			share->patience = (struct patience){0};
		else
			patience_note(&share->patience, !share->gate.closed, share->another_goes, now_ms);
	}
}

static void judge_gates(struct pace *pace, const struct signals *signals, int64_t now_ms)
{
	bool one_closes = false;
	bool all_closed = pace->shares_count > 0;

	for (struct pace_share *share = pace->shares; share; share = share->next) {
		bool was_closed = share->gate.closed;

		if (gate_may_go(&share->gate, signals, &share->table, share->wish.max_lag_ms, now_ms))
			all_closed = false;
		else
			one_closes = one_closes || (!was_closed && share->table.vacuum != SIGNALS_WRAPAROUND &&
										   !share->patience.gives_way);
	}
	note_patience(pace, now_ms);
	if (one_closes)
		pacer_overloaded(&pace->pacer);
	else if (all_closed)
		pacer_stand(&pace->pacer);
}

void pace_sample(struct pace *pace, const struct signals *signals, int64_t now_ms)
{
	int64_t judged_ms = pace->pacer.judged_ms;
	double duty = pace->impact.duty;

	pace->sampled_ms = now_ms;
	pacer_sample(&pace->pacer, signals, pace->filled, pace_least_target(pace), now_ms);
	if (pace->shares)
		impact_sample(&pace->impact, &signals->traffic, &pace->own, pace_least_impact(pace), now_ms);
	else
		impact_look(&pace->impact, &signals->traffic);
	judge_gates(pace, signals, now_ms);
	if (pace->pacer.judged_ms != judged_ms || pace->impact.duty != duty)
		pace_divide(pace, now_ms);
}

void pace_sample_table(struct pace_share *share, const struct signals_table *table)
{
	share->table = *table;
}

/* ---- jobs ---- */

void pace_change(struct pace_share *share, const struct pace_wish *wish)
{
	free(share->opens_at);
	share->wish = *wish;
	share->opens_at = wish->opens_at ? memory_text(wish->opens_at) : NULL;
	share->wish.opens_at = share->opens_at;
}

int pace_fillers_beside(const struct pace_share *share)
{
	int fillers = 0;

	for (const struct pace_share *other = share->pace->shares; other; other = other->next)
		fillers += other == share ? 0 : other->wish.fillers;
	return fillers;
}

double pace_at_work_beside(const struct pace_share *share)
{
	double ms = 0.0;

	for (const struct pace_share *other = share->pace->shares; other; other = other->next)
		ms += other == share ? 0.0 : other->accounts[PACE_TIME].steady;
	return ms / 1000.0;
}

/* What was learnt beside the job before is true a little longer. */
static bool remembers(const struct pace *pace, int64_t now_ms)
{
	return pace->left_ms != 0 && now_ms - pace->left_ms <= FORGET_AFTER_MS;
}

/* But where there was no application one may have come: that is looked at anew. */
static void begin(struct pace *pace, int64_t now_ms)
{
	if (remembers(pace, now_ms) && impact_knows(&pace->impact))
		impact_disturb(&pace->impact, now_ms);
	else
		impact_start(&pace->impact, now_ms);
	pace->divided_ms = now_ms;
}

struct pace_share *pace_join(struct pace *pace, const struct pace_wish *wish, int64_t now_ms)
{
	struct pace_share *share = memory_new(sizeof(*share));

	if (!pace->shares)
		begin(pace, now_ms);
	share->pace = pace;
	share->next = pace->shares;
	pace->shares = share;
	pace->shares_count++;
	share->asked_ms = now_ms;
	pace_change(share, wish);
	/* Until the first division: alone nobody limits it, beside others it waits for its part. */
	for (int count = 0; count < PACER_COUNTS; count++)
		budget_set_rate(&share->accounts[count].bucket,
			fmin(pace_own_limit(share, count),
				pace->shares_count == 1 ? pace->pacer.flows[count].allowance : PACE_LEAST_DEMAND),
			now_ms);
	budget_set_rate(&share->accounts[PACE_TIME].bucket,
		pace_looks(share) ? pace->impact.duty * 1000.0 : INFINITY, now_ms);
	return share;
}

void pace_leave(struct pace_share *share)
{
	struct pace_share **at = &share->pace->shares;

	while (*at != share)
		at = &(*at)->next;
	*at = share->next;
	share->pace->shares_count--;
	share->pace->left_ms = share->asked_ms;
	share_free(share);
}

/* ---- batches ---- */

/* Its portion was used. */
static int64_t turn_ms(struct pace_share *share, int64_t now_ms)
{
	int64_t waited_ms = share->held_since_ms != 0 ? now_ms - share->held_since_ms : 0;
	int64_t longest_ms = 0;

	for (int i = 0; i < PACE_CURRENCIES; i++) {
		struct pace_account *account = &share->accounts[i];
		int64_t wait_ms = budget_wait_ms(&account->bucket, now_ms);

		account->held = account->held || wait_ms > 0;
		if (wait_ms <= longest_ms)
			continue;
		longest_ms = wait_ms;
		share->waits_for = i;
	}
	if (!share->limited && longest_ms < TOLD_FROM_MS && (longest_ms == 0 || waited_ms < TOLD_FROM_MS))
		return longest_ms;
	pace_say_limit(share);
	return longest_ms;
}

static void note_limited(struct pace_share *share, int64_t now_ms)
{
	double seconds = (double)(now_ms - share->asked_ms) / 1000.0;
	double weight = 1.0 - exp(-seconds / LIMITED_S);
	double held = share->held_since_ms != 0 && !share->stopped ? 1.0 : 0.0;
	double napped = seconds > 0.0 ? fmin(share->napped_ms / 1000.0 / seconds, 1.0) : 0.0;
	double part = 0.0; /* of the last seconds that it waited, for whatever it was */

	for (int i = 0; i < PACE_CURRENCIES; i++) {
		struct pace_account *account = &share->accounts[i];
		double now = i == (int)share->waits_for ? held : 0.0;

		now = i == PACE_TIME ? fmax(now, napped) : now;
		account->held_part += (now - account->held_part) * weight;
		part += account->held_part;
	}
	share->limited = part > (share->limited ? LIMITED_UNTIL : LIMITED_FROM);
	share->asked_ms = now_ms;
	share->napped_ms = 0.0;
}

static void note_held(struct pace_share *share, bool go, int64_t now_ms)
{
	if (go)
		share->held_since_ms = 0;
	else if (share->held_since_ms == 0)
		share->held_since_ms = now_ms;
}

static double mean_of_those_at_work(const struct pace_share *share, double ms)
{
	return ms / (share->wish.at_work > 0 ? share->wish.at_work : share->wish.fillers);
}

void pace_wait(struct pace_share *share, int64_t waited_ms)
{
	share->throttled_ms += mean_of_those_at_work(share, (double)waited_ms);
}

/* A batch takes what one usually takes when it starts, or those that start together would all be free. */
static void reserve(struct pace_account *account, double most, int64_t now_ms)
{
	double amount = fmin(account->usual, most);

	account->owed += amount;
	budget_take(&account->bucket, amount, now_ms);
}

/* What the batch that ends had taken beforehand. */
static double unreserve(const struct pace_share *share, struct pace_account *account)
{
	double reserved = share->running > 0 ? account->owed / share->running : 0.0;

	account->owed -= reserved;
	return reserved;
}

/* Who asks has no batch running: one that is still thought to run has failed, and cost nothing. (Or it asks
 * ahead: then nothing is scarce, and what was taken beforehand does not matter.) */
static void forget_failed(struct pace_share *share, int64_t now_ms)
{
	if (share->running < share->wish.fillers)
		return;
	for (int i = 0; i < PACE_CURRENCIES; i++)
		budget_take(&share->accounts[i].bucket, -unreserve(share, &share->accounts[i]), now_ms);
	share->running--;
}

/* Bytes for a plain byte, in the share's last batches. */
static double mix(const struct pace_share *share)
{
	double plain = share->accounts[PACE_PLAIN].usual;

	return plain > 0.0 ? share->accounts[PACE_BYTES].usual / plain : 1.0;
}

static double bytes_a_second(const struct pace_share *share)
{
	return fmin(
		share->accounts[PACE_BYTES].bucket.rate, share->accounts[PACE_PLAIN].bucket.rate * mix(share));
}

/* While it may not go at all it has no part. Then it has not shown how little it needs. */
static void stop_or_resume(struct pace_share *share, int64_t now_ms)
{
	bool was_stopped = share->stopped;

	share->stopped = pace_is_held(share, now_ms);
	if (share->stopped || !was_stopped)
		return;
	for (int i = 0; i < PACE_CURRENCIES; i++)
		share->accounts[i].held = true;
	pace_divide_again(share->pace, now_ms);
}

void pace_ask(struct pace_share *share, int64_t now_ms, struct pace_verdict *ret_verdict)
{
	double bytes, part;
	int64_t wait_ms;

	forget_failed(share, now_ms);
	note_limited(share, now_ms);
	stop_or_resume(share, now_ms);
	wait_ms = share->stopped ? ASK_AGAIN_MS : turn_ms(share, now_ms);
	bytes = bytes_a_second(share) * BATCH_S / share->wish.fillers;
	part = share->accounts[PACE_TIME].bucket.rate / 1000.0 / share->wish.fillers;
	note_held(share, wait_ms == 0, now_ms);
	*ret_verdict = (struct pace_verdict){
		.go = wait_ms == 0,
		.wait_ms = wait_ms < ASK_AGAIN_MS ? wait_ms : ASK_AGAIN_MS,
		.reason = share->reason.length > 0 ? text_is(&share->reason) : NULL,
		.part = pace_looks(share) ? breath_part(fmin(part, 1.0)) : 1.0,
		.batch_bytes = (int64_t)fmin(fmax(bytes, LEAST_BATCH_BYTES), (double)SIZER_MOST_BYTES),
	};
	if (!ret_verdict->go)
		return;
	reserve(&share->accounts[PACE_BYTES], (double)ret_verdict->batch_bytes, now_ms);
	reserve(&share->accounts[PACE_PLAIN], (double)ret_verdict->batch_bytes / mix(share), now_ms);
	reserve(&share->accounts[PACE_TIME], INFINITY, now_ms);
	share->running++;
}

bool pace_limits(const struct pace_verdict *verdict)
{
	return verdict->part < 1.0 || verdict->batch_bytes < SIZER_MOST_BYTES;
}

static bool is_scarce(struct pace_share *share, int64_t now_ms)
{
	for (int i = 0; i < PACE_CURRENCIES; i++)
		if (budget_wait_ms(&share->accounts[i].bucket, now_ms) > 0)
			return true;
	return false;
}

bool pace_ask_ahead(struct pace_share *share, int64_t now_ms, struct pace_verdict *ret_verdict)
{
	if (is_scarce(share, now_ms) || pace_is_held(share, now_ms))
		return false;
	pace_ask(share, now_ms, ret_verdict);
	return true;
}

static void spend(struct pace_share *share, enum pace_currency currency, double amount, int64_t now_ms)
{
	struct pace_account *account = &share->accounts[currency];
	double reserved = unreserve(share, account);

	account->spent += amount;
	account->usual += (amount - account->usual) * USUAL_WEIGHT;
	budget_take(&account->bucket, amount - reserved, now_ms);
}

/* A batch that sleeps waits for its portion as much as one that is not sent yet. */
static void note_naps(struct pace_share *share, double napped_ms)
{
	if (napped_ms <= 0.0)
		return;
	share->accounts[PACE_TIME].held = true;
	share->napped_ms += napped_ms;
	share->throttled_ms += napped_ms;
}

void pace_spend(struct pace_share *share, const struct pace_batch *batch, int64_t now_ms)
{
	struct pace *pace = share->pace;
	double plain = plain_bytes(batch->wal_bytes, batch->wal_records);

	pace->filled[PACER_BYTES] += (double)batch->wal_bytes;
	pace->filled[PACER_PLAIN] += plain;
	pace->own.steered_ms += pace_looks(share) ? batch->ms : 0.0;
	pace->own.transactions++;
	spend(share, PACE_BYTES, (double)batch->wal_bytes, now_ms);
	spend(share, PACE_PLAIN, plain, now_ms);
	spend(share, PACE_TIME, batch->ms, now_ms);
	note_naps(share, mean_of_those_at_work(share, batch->napped_ms));
	if (share->running > 0)
		share->running--;
	/* A pause is no speed: only batches change what is thought of it. */
	if (share->table.vacuum == SIGNALS_NO_VACUUM)
		share->full_speed = fmax(share->full_speed * FORGET_SPEED, share->accounts[PACE_TIME].used);
}

void pace_vacuum_began(struct pace *pace, int64_t now_ms)
{
	impact_accompany(&pace->impact, true);
	pacer_accompany(&pace->pacer, true);
	pace_divide_again(pace, now_ms);
}

void pace_vacuum_ended(struct pace *pace, int64_t now_ms)
{
	impact_accompany(&pace->impact, false);
	pacer_accompany(&pace->pacer, false);
	impact_disturb(&pace->impact, now_ms);
	pace_divide_again(pace, now_ms);
}

void pace_disturb(struct pace *pace, int64_t now_ms)
{
	impact_disturb(&pace->impact, now_ms);
}

double pace_part(const struct pace *pace, bool looks, int64_t now_ms)
{
	if (!looks)
		return 1.0;
	if (!pace->shares && !remembers(pace, now_ms))
		return USUAL_PART;
	return fmin(fmax(pace->impact.duty, LEAST_PART), 1.0);
}

/* ---- what people may know ---- */

const char *pace_held_by(const struct pace_share *share)
{
	return share->reason.length > 0 ? text_is(&share->reason) : NULL;
}

int64_t pace_throttled_ms(const struct pace_share *share)
{
	return (int64_t)share->throttled_ms;
}

static double or_none(double value)
{
	return isinf(value) ? -1.0 : value;
}

void pace_read(const struct pace_share *share, struct pace_view *ret_view)
{
	const struct pace *pace = share->pace;
	const struct pacer_flow *bytes = &pace->pacer.flows[PACER_BYTES];
	const struct pacer_flow *plain = &pace->pacer.flows[PACER_PLAIN];

	*ret_view = (struct pace_view){
		.capacity = or_none(fmin(bytes->capacity, plain->capacity * mix(share))),
		.allowance = or_none(fmin(bytes->allowance, plain->allowance * mix(share))),
		.foreground = bytes->foreground,
		.share = or_none(bytes_a_second(share)),
		.impact = pace_looks(share) ? pace->impact.percent : NAN,
		.impact_told = pace_looks(share) ? impact_told(&pace->impact) : "not looked at",
		.duty = or_none(pace->impact.duty),
		.time = or_none(share->accounts[PACE_TIME].bucket.rate / 1000.0),
		.used = share->accounts[PACE_TIME].steady / 1000.0,
		.replica_limits = pace_replica_limits(share),
		.stands = share->gate.closed || share->wish.opens_at,
		.forbidden = share->wish.opens_at != NULL,
		.vacuum_bytes =
			share->wish.max_wal_rate > 0 ? PACE_VACUUM_SHARE * (double)share->wish.max_wal_rate : -1.0,
	};
}
