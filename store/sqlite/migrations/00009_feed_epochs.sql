-- +goose Up

-- What numbers of the feed were given by whom: an epoch is one opening of this file
-- that wrote events, and its numbers are those above after, up to the next epoch's.
-- A place in the feed names the epoch of its number, so that one from after the
-- moment of a copy is known as such when the copy is put back and has grown past it.
-- A program that knows no epochs would write into somebody else's, so that none may
-- open the file any more.
CREATE TABLE feed_epochs (after INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
INSERT INTO feed_epochs VALUES (-1, hex(randomblob(13)));

-- Places that the database keeps for itself are of this file, and stay.
UPDATE meta SET value = CAST('q2-' || substr(CAST(value AS TEXT), 4) || '-' || (SELECT name FROM feed_epochs) AS BLOB)
WHERE substr(value, 1, 3) = CAST('q1-' AS BLOB);

UPDATE schema_info SET version = 9, min_program = 9;
