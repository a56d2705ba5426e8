-- Checkpoints and parts stand under their keys, not in a table and an index each: a put writes two pages fewer.
CREATE TABLE keyed_checkpoint (
    partition   INTEGER NOT NULL,
    branch      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    parent      TEXT,
    head        BLOB    NOT NULL,
    uses        BLOB    NOT NULL,  -- MessagePack: the names of its parts
    PRIMARY KEY (partition, branch, id)
) WITHOUT ROWID;
INSERT INTO keyed_checkpoint (partition, branch, id, parent, head, uses)
SELECT partition, branch, id, parent, head, uses FROM checkpoint ORDER BY partition, branch, id;
DROP TABLE checkpoint;
ALTER TABLE keyed_checkpoint RENAME TO checkpoint;

-- Never changed once it is written. The data comes last, so that whoever follows a chain reads past none of it.
CREATE TABLE keyed_part (
    partition   INTEGER NOT NULL,
    branch      TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    after       TEXT,              -- the name of the part that it goes on from
    spans       BLOB,              -- MessagePack: first and count of each, of the log `items`; NULL for none
    data        BLOB    NOT NULL,
    PRIMARY KEY (partition, branch, name)
) WITHOUT ROWID;
INSERT INTO keyed_part (partition, branch, name, after, spans, data)
SELECT partition, branch, name, after, spans, data FROM part ORDER BY partition, branch, name;
DROP TABLE part;
ALTER TABLE keyed_part RENAME TO part;
