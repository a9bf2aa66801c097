-- A search for words that most texts have walks from the newest instead of
-- sorting all that match.
CREATE INDEX search_newest ON search (ws, at DESC, message);
