-- What was put at the end of a value later: the value is its row's data up to the first part, then each part up to the next one.
CREATE TABLE value_part (
    key     TEXT    NOT NULL,
    starts  INTEGER NOT NULL,  -- the byte of the whole value that the part starts at
    data    BLOB    NOT NULL
);
CREATE UNIQUE INDEX value_part_starts ON value_part (key, starts);

CREATE TRIGGER value_replaced AFTER UPDATE OF data ON value BEGIN
    DELETE FROM value_part WHERE key = old.key;
END;
CREATE TRIGGER value_deleted AFTER DELETE ON value BEGIN
    DELETE FROM value_part WHERE key = old.key;
END;
