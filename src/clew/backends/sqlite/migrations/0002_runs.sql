-- Runs: answers in the making. They belong to a partition by its name, as leases do: they go when it is dropped, and not when it expires.

CREATE TABLE run (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    owner       TEXT    NOT NULL,
    partition   TEXT    NOT NULL,
    name        TEXT    NOT NULL,            -- the run's id
    number      INTEGER NOT NULL,            -- its place among the partition's runs
    state       TEXT    NOT NULL,            -- open, done, error, cancelled, interrupted
    epoch       INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,            -- of the newest event of this epoch
    holder      TEXT    NOT NULL,
    leased_ms   INTEGER NOT NULL,            -- when the lease runs out
    takes_turn  INTEGER NOT NULL,
    created_ms  INTEGER NOT NULL,
    ended_ms    INTEGER,
    cancel_ms   INTEGER,
    end_data    BLOB,                        -- of the terminal event; its kind is the state, its id epoch and last_seq
    data        BLOB    NOT NULL,
    retention   BLOB    NOT NULL,            -- MessagePack
    end_after   TEXT,                        -- of a terminal event that is the first of its epoch: the id before it
    has_log     INTEGER NOT NULL DEFAULT 1,  -- 0: its events are gone, or being purged
    events      INTEGER NOT NULL,            -- how many the log holds
    log_ms      INTEGER NOT NULL,            -- when its log goes
    record_ms   INTEGER NOT NULL,            -- when all of it goes
    UNIQUE (owner, partition, name)
);
CREATE INDEX run_number ON run (owner, partition, number);
CREATE INDEX run_log_expiry ON run (log_ms) WHERE has_log;
CREATE INDEX run_record_expiry ON run (record_ms);

-- In the order of writing, whatever the run, as entries are.
CREATE TABLE run_event (
    run         INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    data        BLOB    NOT NULL,
    after       TEXT                         -- on the first event of an epoch: the newest id before it
);
CREATE UNIQUE INDEX run_event_id ON run_event (run, epoch, seq);

-- Runs that are gone, or whose log is, and whose events are still to be purged.
CREATE TABLE run_debris (
    run         INTEGER PRIMARY KEY
);
