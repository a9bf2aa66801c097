-- The lives of the server, in their order: see lives.go. began is how far its log
-- went, in bytes, when the life began; system is the cluster's own name and timeline
-- that of its log, null where the server does not tell them. n grows and has gaps.
CREATE TABLE lives (
    n        bigint GENERATED ALWAYS AS IDENTITY,
    life     bigint PRIMARY KEY,
    began    bigint NOT NULL,
    system   bigint,
    timeline text
);

-- Life 1 stands for all before. Of the places that were given then only those go on
-- that the database keeps for itself, since they go back with it.
INSERT INTO lives (life, began) VALUES (1, 0);
UPDATE meta SET value = convert_to(translate(encode(convert_to((convert_from(decode(rpad(translate(convert_from(value, 'UTF8'),
        '-_', '+/'), (length(value) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb || '{"l": 1, "w": 0}')::text, 'UTF8'), 'base64'),
        E'+/=\n', '-_'), 'UTF8')
    WHERE key LIKE 'index/numbers/%';

UPDATE schema_info SET version = 12;
