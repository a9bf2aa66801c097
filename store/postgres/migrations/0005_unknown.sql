-- What may have been sent is looked at by people, and is rare among what was.
CREATE INDEX outbox_unknown ON outbox (ws, added_at, id) WHERE state = 'unknown';
