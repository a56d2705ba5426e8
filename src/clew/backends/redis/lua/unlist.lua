-- unlist(listing, dangling names): repair a listing, taking away lines whose threads have been missing for long.
--
-- KEYS  1 listing zset, 2 the zset of its order of making
-- ARGV  1 the age in microseconds from which on a line is stale, then the names
-- Returns how many lines went. A younger line may belong to a thread that is just being made.
local time = redis.call('TIME')
local oldest = time[1] * 1000000 + time[2] - ARGV[1]
local gone = 0
for i = 2, #ARGV do
    local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
    if score and tonumber(score) < oldest then
        gone = gone + redis.call('ZREM', KEYS[1], ARGV[i])
        redis.call('ZREM', KEYS[2], ARGV[i])
    end
end
return gone
