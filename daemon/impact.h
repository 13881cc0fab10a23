/*
 * impact: the promise that the application is slowed by no more than max_impact per cent. One that executes
 * for less than a fifth of the time (all its sessions together) is promised what it would be if it did: no
 * more than max_impact per cent of a fifth of a second, each second. By default these are 20 ms, 0.2 ms for
 * each of 100 transactions: that much caches cost through which our rows have passed, and nobody waits for
 * it.
 *
 * The server counts each database's transactions and the time that its sessions were executing. Of our
 * batches it counts little: each message of a pipeline starts the clock of the session's state anew
 * (pgstat_report_activity()), so of a whole transaction only the last statement is counted, and that is a
 * COMMIT that waits for nobody, unless synchronous_commit says so (tests/server/pace_signals.sh). Its 0.04 ms
 * are taken off.
 *
 * What single statements of ours take is counted when they end: long ones disturb the window. What a
 * transaction takes without us (the baseline) is learnt in short pauses of the fill and kept fresh, never
 * while a VACUUM of ours goes on. While batches run, sums over the last half minute or so say
 *
 *	impact  = application's time / (its transactions × baseline) - 1
 *	used    = seconds of batches / seconds
 *	slope   = (impact × used + doubt × thought) / (used² + doubt)
 *	allowed = max_impact × max(1, 0.2 × seconds / (its transactions × baseline))
 *	duty    = (0.8 to 0.2) × allowed / slope
 *
 * where duty is the number of connections that may execute batches at one time on average (0.5: one, half of
 * the time), and the slope by how much a batch that executes slows the application. At first it is thought to
 * be 0.5 beside an application of which hardly a session executes, and up to 0.8 the more do. What is seen
 * counts as far as it can be told from the ups and downs of the application itself, which its baselines show:
 * doubt is their variance over that of slopes (1 above the thought one, 0.25 below it, less once that was
 * learnt; more doubt while less than half a minute was seen). Beside one that goes up and down by 10 % a
 * tenth of a batch tells next to nothing: full belief in it let duty wander between 0.04 and 0.4 where 0.1
 * was right, and the application's p99 with it. But next to nothing adds up: from baseline to baseline what
 * is thought comes nearer to what was seen between them, or a machine with processors to spare would be
 * filled as slowly as one without.
 *
 * The more sessions execute the more their transactions queue for one as well, and that is what the
 * application's p99 is made of: therefore 0.2 beside two or more, but for processors that prove to be idle:
 * where slopes come out smaller than was thought at first it is so much nearer to 0.8 (impact_slope.c).
 *
 * Sums, not single windows: sessions hand in their counters once a second, ours too, and what belongs to one
 * second is told in the next; in a sum only its ends are wrong. While fewer than 40 transactions a second
 * run, or they execute for less than a twenty-fifth of the time, it cannot be measured: then duty is not
 * limited, and the other signals are all there is. When an application falls silent duty doubles from window
 * to window, since it may be back the next moment; one that shows itself beside a fill at full speed is
 * believed after a second when it does ten times as much as is asked for.
 *
 * A statement of minutes is counted when it ends: a window in which the application seems to have executed
 * for more than three times as long as it should is left out, unless the one before it was like that.
 *
 * Whom a pause has found too small to be measured must do twice as much as is asked for, or there is not
 * another one.
 *
 * At first nothing is known: duty is 0.05 until two surveys in a row, also of the seconds before, have found
 * no session of the application at work, and not limited where the counters cannot be read within a second.
 * A session that was met keeps it there, and then at twice that, until the counters of up to three seconds
 * have told that it is no application. When it is not met again either, somebody has looked at the job, and
 * nothing is limited.
 *
 * After the first baseline it is what the law says of the thought slope, but no more than 0.15.
 *
 * Time is counted from when the server begins to execute. That statements wait for a processor before, or
 * pile up in the application, no counter shows; but then the application does more in a pause than beside
 * the fill: it catches up. Where it does more than a sixth more, duty is halved. It never rises to more than
 * twice what a pause has shown to be harmless, and by no more than a twentieth where once it was not. This is
 * for an application that executes for a fifth of the time or more.
 *
 * Source of the idea: a PI controller with an online baseline estimator, as DB2's util_impact_lim has it
 * (American Control Conference 2004). Backends hand in their counters once a second (PGSTAT_MIN_INTERVAL), so
 * what they tell in the first 0.9 s after a change belongs to the time before it.
 */
#ifndef BACKFILLD_DAEMON_IMPACT_H
#define BACKFILLD_DAEMON_IMPACT_H

#include "common/base.h"
#include "daemon/signals.h"

/* What our batches have added to the counters, ever. */
struct impact_own {
	int64_t transactions;
	double steered_ms; /* time of batches; jobs that do not look are a part of the application's world */
};

enum impact_phase {
	IMPACT_UNKNOWN,  /* nothing is known of the application yet */
	IMPACT_QUIET,    /* too few transactions to measure */
	IMPACT_BASELINE, /* the fill pauses, to learn how fast the application is without it */
	IMPACT_RUNNING,  /* the fill runs, and its impact is measured */
};

/* Sums over a window. */
struct impact_window {
	bool open; /* it has begun */
	struct signals_traffic traffic;
	struct impact_own own;
};

struct impact {
	enum impact_phase phase;
	int64_t phase_since_ms;
	struct impact_window window;
	double baseline_ms;     /* mean time of a transaction without us; 0: not known */
	int64_t baseline_at_ms; /* clock when it was learnt */
	double baseline_duty;   /* the duty before that pause */
	double busy;            /* sessions of the application that execute at one time, without us */
	double harmless;        /* duty that a pause has shown to be so */
	double climb;           /* duty is at most so many times that */
	double percent;         /* NAN: cannot be measured */
	double duty;            /* INFINITY: no limit; at first little, until nobody is seen at work */
	int64_t looked_ms;      /* when the last survey was asked for, while nothing else is known */
	int quiet_looks;        /* so many of these, in a row, have found nobody at work */
	int64_t busy_ms;        /* when one has found somebody; 0: none */
	int64_t unsettled_ms;   /* what was counted until then is nobody's to tell */
	int statements;         /* of ours that are no batches, at work now */
	bool odd;               /* in the last window the application executed far too long */
	bool paused_in_vain;    /* the last pause found too few transactions to measure */
	bool assured;           /* the last baseline was asked for in doubt, and told nothing new */
	double innovation;      /* of the last baseline, as a share of it */
	double noise;           /* by how much baselines differ from one another, the same way */
	int baselines;          /* learnt so far */
	/* Of the time in which batches may run, what is older counting less. */
	double seconds;
	double extra_ms; /* that the application took longer than its transactions
						without us */
	double best_ms;  /* that they would have taken */
	double batch_s;  /* that batches executed */
	/* Beside the fill, since the last baseline. */
	double beside_s;
	double beside_transactions;
	double beside_ms;      /* that the application executed */
	double beside_batch_s; /* that batches did */
	/* What baselines have taught of the slope. */
	double lesson; /* to be added to what it was thought to be at first */
	double unsure; /* of the thought slope's first variance so much is left */
};

/* The fill begins, and nothing is known of the application but what impact_look() saw. */
void impact_start(struct impact *impact, int64_t now_ms);

/* A survey while nothing is filled yet; false: it was looked at before. */
bool impact_look(struct impact *impact, const struct signals_traffic *traffic);

/* A new survey; counters that have gone back begin a window anew. most_percent: 0 does not look; nothing is
 * limited then. */
void impact_sample(struct impact *impact, const struct signals_traffic *traffic, const struct impact_own *own,
	int most_percent, int64_t now_ms);

/* What there is of a measurement, in words: "measured", "being measured" or "too little to measure". */
const char *impact_told(const struct impact *impact) MUST_USE;

/* There is an application, whose time without us is known or being learnt. */
bool impact_knows(const struct impact *impact) MUST_USE;

/* No batch may start: the baseline is being learnt. */
bool impact_pauses(const struct impact *impact) MUST_USE;

/* A statement of ours that is no batch is at work beside them (a VACUUM), one more or (began false) one less:
 * the application is not as fast then as without us. */
void impact_accompany(struct impact *impact, bool began);

/* Of what the counters tell of the time until now nobody knows whose it is: a long statement of ours has
 * ended and is among it. */
void impact_disturb(struct impact *impact, int64_t now_ms);

#endif
