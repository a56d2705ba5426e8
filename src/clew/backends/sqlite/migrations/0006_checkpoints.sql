-- Checkpoints of programs in a partition, by branch, and the parts that hold their values.

-- In the order of writing, as entries are: what one commit writes stands together. Texts are compared as their UTF-8 bytes are.
CREATE TABLE checkpoint (
    partition   INTEGER NOT NULL,
    branch      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    parent      TEXT,
    head        BLOB    NOT NULL,
    uses        BLOB    NOT NULL   -- MessagePack: the names of its parts
);
CREATE UNIQUE INDEX checkpoint_id ON checkpoint (partition, branch, id);

-- Never changed once it is written.
CREATE TABLE part (
    partition   INTEGER NOT NULL,
    branch      TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    after       TEXT,              -- the name of the part that it goes on from
    spans       BLOB,              -- MessagePack: first and count of each, of the log `items`; NULL for none
    data        BLOB    NOT NULL
);
CREATE UNIQUE INDEX part_name ON part (partition, branch, name);

CREATE TABLE task_write (
    partition   INTEGER NOT NULL,
    branch      TEXT    NOT NULL,
    checkpoint  TEXT    NOT NULL,  -- its id; it need not be there
    path        TEXT    NOT NULL,
    task        TEXT    NOT NULL,
    place       INTEGER NOT NULL,  -- the index of the write; of those below 0 the last one is kept, of others the first
    channel     TEXT    NOT NULL,
    data        BLOB    NOT NULL
);
CREATE UNIQUE INDEX task_write_place ON task_write (partition, branch, checkpoint, path, task, place);
