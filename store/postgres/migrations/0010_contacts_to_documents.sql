-- Contacts and identities become documents, each found as before: by what a
-- provider calls a person, by the contact, by the words of a contact, which were
-- documents of their own. Their tables go, so that a program of before cannot
-- write into them. What stood in these tables begins with {"v":1, which bodies of
-- documents lack. A key above 400 bytes is its beginning and a hash.
INSERT INTO documents (ws, kind, id, version, decl, i0, body)
SELECT ws, 'contact', id, version, 1, convert_to(id, 'UTF8'), convert_to('{' || substr(convert_from(doc, 'UTF8'), 8), 'UTF8')
FROM contacts;

UPDATE document_tags SET kind = 'contact' WHERE kind = 'contact.found';
DELETE FROM documents WHERE kind = 'contact.found';

INSERT INTO documents (ws, kind, id, version, decl, u0, i0, body)
SELECT ws, 'identity', id, version, 1, CASE WHEN octet_length(u) <= 400 THEN u ELSE substr(u, 1, 400) || sha256(u) END,
    convert_to(contact, 'UTF8'), convert_to('{' || substr(convert_from(doc, 'UTF8'), 8), 'UTF8')
FROM (SELECT *, convert_to(kind, 'UTF8') || '\x0001'::bytea || convert_to(scope, 'UTF8') || '\x0001'::bytea
    || convert_to(user_id, 'UTF8') || '\x0001'::bytea AS u FROM identities) i;

DROP TABLE contacts, identities;

UPDATE schema_info SET version = 10, min_program = 3;
