-- The two roles that users of backfilld are members of.
DO $$
DECLARE
	wanted name;
BEGIN
	FOREACH wanted IN ARRAY ARRAY['backfill_user', 'backfill_admin']::name[] LOOP
		CONTINUE WHEN EXISTS (SELECT FROM pg_roles r WHERE r.rolname = wanted);
		BEGIN
			EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
		EXCEPTION
			-- another database's install was faster
			WHEN duplicate_object OR unique_violation THEN
				NULL;
			WHEN insufficient_privilege THEN
				RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
					MESSAGE = format('role %I is missing and role %I may not create it', wanted, current_user),
					DETAIL = 'Users of backfilld are members of backfill_user or backfill_admin.',
					HINT = format('As a superuser: CREATE ROLE backfill_user NOLOGIN; CREATE ROLE backfill_admin NOLOGIN IN ROLE backfill_user;'
					              ' or ALTER ROLE %I CREATEROLE; then run backfilld --install again.', current_user);
		END;
	END LOOP;

	IF NOT EXISTS (SELECT FROM pg_auth_members m
	                WHERE m.roleid = 'backfill_user'::regrole AND m.member = 'backfill_admin'::regrole) THEN
		BEGIN
			GRANT backfill_user TO backfill_admin;
		EXCEPTION
			WHEN unique_violation THEN
				NULL;
			WHEN insufficient_privilege THEN
			RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
				MESSAGE = format('role %I may not make backfill_admin a member of backfill_user', current_user),
				DETAIL = 'An admin may do what every user may; both roles exist, the membership does not.',
				HINT = 'As a superuser: GRANT backfill_user TO backfill_admin; then run backfilld --install again.';
		END;
	END IF;
END $$;
