-- What is kept for a time is found by its age.
ALTER TABLE decisions ADD COLUMN at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX decisions_at ON decisions (ws, at);
CREATE INDEX offers_ended ON offers (ws, offered_at) WHERE NOT open;
CREATE INDEX early_at ON early (ws, at);
CREATE INDEX jobs_dead_at ON jobs (ws, created_at) WHERE state = 'dead';

-- The audit log is written once. This keeps the program's own role from
-- changing it by mistake; against intent, give the tables to another role and
-- grant the program's SELECT and INSERT on this one.
CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept();
