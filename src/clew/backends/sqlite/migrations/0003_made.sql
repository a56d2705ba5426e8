-- The order in which an owner's partitions were made is that of their ids.
CREATE INDEX partition_made ON partition (owner);
-- Of a tombstone: the id of the partition it stands for, so that its name stays a cursor. NULL for one without a place.
ALTER TABLE partition ADD COLUMN stood INTEGER;
