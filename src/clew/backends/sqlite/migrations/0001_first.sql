-- The first schema. Times are the store's clock: _ms milliseconds, _us microseconds since 1970.

-- A partition, or the tombstone of one (gone = 1: revision 0, nothing hangs on it, until expires_ms).
-- Ids are never reused: what hangs on a dropped one is purged later.
CREATE TABLE partition (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    owner       TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    revision    INTEGER NOT NULL,
    created_us  INTEGER NOT NULL,
    updated_us  INTEGER NOT NULL,
    listed_us   INTEGER,           -- its place in the owner's listing, NULL where it is not listed
    expires_ms  INTEGER,           -- NULL for never; at this time it is not there any more
    sliding_ms  INTEGER,           -- NULL, or what each commit sets expires_ms to, after now
    gone        INTEGER NOT NULL DEFAULT 0,
    UNIQUE (owner, name)
);
CREATE INDEX partition_listing ON partition (owner, listed_us, name) WHERE listed_us IS NOT NULL;
CREATE INDEX partition_expiry ON partition (expires_ms) WHERE expires_ms IS NOT NULL;

CREATE TABLE document (
    partition   INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    data        BLOB    NOT NULL,
    PRIMARY KEY (partition, key)
) WITHOUT ROWID;

CREATE TABLE log (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    partition   INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    floor       INTEGER NOT NULL DEFAULT 0,  -- a position that was given, at least; the entries may show a higher one
    UNIQUE (partition, name)
);

-- In the order of writing, whatever the log: a commit of many callers fills few pages of the file.
-- seat = log << 32 | position: a page of a log is one run of the index, and the newest position is the run's last.
CREATE TABLE entry (
    seat        INTEGER NOT NULL,
    log         INTEGER NOT NULL,
    id          BLOB    NOT NULL,  -- codec.pack_id
    envelope    BLOB    NOT NULL   -- codec.encode_entry
);
CREATE UNIQUE INDEX entry_seat ON entry (seat);
-- By id first: ids that clew makes are in order of time, so that those written together stand on one page.
CREATE UNIQUE INDEX entry_id ON entry (id, log);

-- Where a removed entry stood: its id stays a cursor until the log is trimmed past it.
CREATE TABLE removed (
    log         INTEGER NOT NULL,
    id          BLOB    NOT NULL,
    position    INTEGER NOT NULL,
    PRIMARY KEY (log, id)
) WITHOUT ROWID;
CREATE INDEX removed_position ON removed (log, position);

-- The newest `once` tokens of a partition, numbered from 1, and what their first call returned.
CREATE TABLE once (
    partition    INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    token        TEXT    NOT NULL,
    revision     INTEGER NOT NULL,
    committed_ms INTEGER NOT NULL,
    outcomes     BLOB    NOT NULL,  -- MessagePack
    PRIMARY KEY (partition, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX once_token ON once (partition, token);

-- Partitions that are gone, whose rows are still to be purged.
CREATE TABLE debris (
    partition   INTEGER PRIMARY KEY
);

-- The fence is the row's own number, which SQLite never gives twice: it grows over all leases of the file.
CREATE TABLE lease (
    fence       INTEGER PRIMARY KEY AUTOINCREMENT,
    owner       TEXT    NOT NULL,
    partition   TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    holder      TEXT    NOT NULL,
    expires_ms  INTEGER NOT NULL,
    UNIQUE (owner, partition, name)
);
CREATE INDEX lease_expiry ON lease (expires_ms);

CREATE TABLE value (
    key         TEXT PRIMARY KEY,
    data        BLOB NOT NULL,
    expires_ms  INTEGER
);
CREATE INDEX value_expiry ON value (expires_ms) WHERE expires_ms IS NOT NULL;
