-- Sets and lists under literal keys. A key that has not expired stands in `value` or here, never in both.
CREATE TABLE collection (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    key         TEXT    NOT NULL UNIQUE,
    kind        TEXT    NOT NULL,  -- 'set' or 'list'
    expires_ms  INTEGER
);
CREATE INDEX collection_expiry ON collection (expires_ms) WHERE expires_ms IS NOT NULL;

CREATE TABLE member (
    collection  INTEGER NOT NULL,
    data        BLOB    NOT NULL,
    PRIMARY KEY (collection, data)
) WITHOUT ROWID;

-- Places are counted from 0, without a gap.
CREATE TABLE element (
    collection  INTEGER NOT NULL,
    place       INTEGER NOT NULL,
    data        BLOB    NOT NULL
);
CREATE UNIQUE INDEX element_place ON element (collection, place);

-- Collections that are gone, whose members or elements are still to be purged.
CREATE TABLE collection_debris (
    collection  INTEGER PRIMARY KEY
);
