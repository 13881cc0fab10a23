-- What workers call: the only thing that everybody may.
CREATE OR REPLACE FUNCTION backfill.move_bookmark(job_id bigint, filler int, epoch bigint, pass int, page bigint, rows bigint)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	lapsed timestamptz;
BEGIN
	UPDATE backfill.bookmark AS b
	   SET pass = move_bookmark.pass, page = move_bookmark.page,
	       rows_filled = b.rows_filled + move_bookmark.rows, sweep_rows = b.sweep_rows + move_bookmark.rows
	  FROM backfill.claim AS c
	 WHERE b.job_id = move_bookmark.job_id AND b.filler = move_bookmark.filler AND b.epoch = move_bookmark.epoch
	   AND b.login = session_user
	   AND c.job_id = b.job_id AND c.epoch = b.epoch AND c.lease_until > clock_timestamp();
	IF FOUND THEN
		RETURN rows;
	END IF;

	-- Only the bookmark's own login learns more than that it is not its bookmark.
	SELECT c.lease_until INTO lapsed
	  FROM backfill.bookmark b JOIN backfill.claim c ON c.job_id = b.job_id AND c.epoch = b.epoch
	 WHERE b.job_id = move_bookmark.job_id AND b.filler = move_bookmark.filler AND b.epoch = move_bookmark.epoch
	   AND b.login = session_user;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'BF001',
			MESSAGE = format('the lease on backfill job %s has lapsed', job_id),
			DETAIL = format('Epoch %s held it until %s; by the server''s clock it is now %s.', epoch, lapsed, clock_timestamp()),
			HINT = 'Roll back and claim the job again; the batch is repeated from its bookmark.';
	END IF;
	IF epoch < 0 THEN -- what the daemon gives for a batch that must not be kept
		RAISE EXCEPTION USING ERRCODE = 'BF001',
			MESSAGE = format('a batch of filler %s of backfill job %s is not kept', filler, job_id),
			DETAIL = 'The batch before it was not, or its table has another name by now.',
			HINT = 'Nothing is to be done: the daemon goes on from the bookmark.';
	END IF;
	RAISE EXCEPTION USING ERRCODE = 'BF001',
		MESSAGE = format('login %I holds no bookmark of filler %s of backfill job %s under epoch %s',
		                 session_user, filler, job_id, epoch),
		DETAIL = 'Another daemon has claimed the job since, the job is gone, or the bookmark belongs to another login.',
		HINT = 'Roll back and leave the job to whoever holds it now.';
END $$;
