-- touch(listing, name): note a write in an owner's listing, by the server's clock. On a cluster, before the thread is written.
--
-- KEYS  1 listing zset (name scored by microseconds), 2 the zset of its order of making
-- ARGV  1 name
-- Returns 1 where the name is new to the listing, else 0
--include made
local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local new = redis.call('ZADD', KEYS[1], 'GT', us, ARGV[1])
if new == 1 then stand(KEYS[1], ARGV[1], us) end
return new
