-- touch(listing, name): note a write in an owner's listing, by the server's clock. On a cluster, before the thread is written.
--
-- KEYS  1 listing zset (name scored by microseconds)
-- ARGV  1 name
-- Returns 1 where the name is new to the listing, else 0
local time = redis.call('TIME')
return redis.call('ZADD', KEYS[1], 'GT', time[1] * 1000000 + time[2], ARGV[1])
