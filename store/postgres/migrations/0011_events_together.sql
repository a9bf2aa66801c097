-- A row of the feed holds all that one piece of work told, and a row of a
-- conversation's events all that it entered: the document is a list of events,
-- which a program of before cannot read. Rows of before hold one event and are
-- read as they were. What is old of the feed
-- is found by its number, in whose order it was written.
DROP INDEX events_at;

UPDATE schema_info SET version = 11, min_program = 4;
