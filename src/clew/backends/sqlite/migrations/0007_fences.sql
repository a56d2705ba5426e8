-- A lease that ran out or was released stays as the newest of its name, so that an older holder is told from it: as long as its
-- partition does, and where there is none, a day.
ALTER TABLE lease ADD COLUMN kept_ms INTEGER NOT NULL DEFAULT 0;  -- when to look again whether it is needed still
UPDATE lease SET kept_ms = expires_ms + 86400000;
DROP INDEX lease_expiry;
CREATE INDEX lease_kept ON lease (kept_ms);
