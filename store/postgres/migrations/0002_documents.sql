-- documents are bodies with a version, unique keys (u) and ordered indexes (i);
-- the program declares their kinds, so that a new one needs no migration.
CREATE TABLE documents (
    ws      text COLLATE "C" NOT NULL,
    kind    text COLLATE "C" NOT NULL,
    id      text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    decl    integer NOT NULL,
    u0 bytea, u1 bytea, u2 bytea,
    i0 bytea, i1 bytea, i2 bytea, i3 bytea, i4 bytea, i5 bytea, i6 bytea, i7 bytea,
    body    bytea NOT NULL,
    PRIMARY KEY (ws, kind, id)
);
CREATE INDEX documents_decl ON documents (ws, kind, decl, id);
CREATE UNIQUE INDEX documents_u0 ON documents (ws, kind, u0) WHERE u0 IS NOT NULL;
CREATE UNIQUE INDEX documents_u1 ON documents (ws, kind, u1) WHERE u1 IS NOT NULL;
CREATE UNIQUE INDEX documents_u2 ON documents (ws, kind, u2) WHERE u2 IS NOT NULL;
CREATE INDEX documents_i0 ON documents (ws, kind, i0, id) WHERE i0 IS NOT NULL;
CREATE INDEX documents_i1 ON documents (ws, kind, i1, id) WHERE i1 IS NOT NULL;
CREATE INDEX documents_i2 ON documents (ws, kind, i2, id) WHERE i2 IS NOT NULL;
CREATE INDEX documents_i3 ON documents (ws, kind, i3, id) WHERE i3 IS NOT NULL;
CREATE INDEX documents_i4 ON documents (ws, kind, i4, id) WHERE i4 IS NOT NULL;
CREATE INDEX documents_i5 ON documents (ws, kind, i5, id) WHERE i5 IS NOT NULL;
CREATE INDEX documents_i6 ON documents (ws, kind, i6, id) WHERE i6 IS NOT NULL;
CREATE INDEX documents_i7 ON documents (ws, kind, i7, id) WHERE i7 IS NOT NULL;
-- tags are values of which a document has many; ord orders those that share one.
CREATE TABLE document_tags (
    ws    text COLLATE "C" NOT NULL,
    kind  text COLLATE "C" NOT NULL,
    name  text COLLATE "C" NOT NULL,
    value bytea NOT NULL,
    ord   bytea NOT NULL,
    id    text COLLATE "C" NOT NULL,
    PRIMARY KEY (ws, kind, name, value, ord, id)
);
CREATE INDEX document_tags_id ON document_tags (ws, kind, id);

UPDATE schema_info SET version = 2;
