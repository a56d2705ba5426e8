-- drop(partition, tombstone): delete the partition and leave a tombstone.
--
-- KEYS  1 meta, 2 docs, 3 once, 4 leases, 5 listing ('' outside: then meta again), then list, ids and new ids of each log
-- ARGV  1 tombstone in milliseconds (0: none), 2 name in the listing, 3 channel, 4.. the logs' names
-- Returns {'ok', 1 or 0}, {'gone'}, or {'logs', names} where the partition has a log that was not passed.
local meta = KEYS[1]
local head = redis.call('HMGET', meta, 'g', 'r', 'l')
if head[1] then return {'gone'} end
if KEYS[5] ~= meta then redis.call('ZREM', KEYS[5], ARGV[2]) end
if not head[2] then
    redis.call('DEL', KEYS[4])
    return {'ok', 0}
end
local passed = ' '
for i = 4, #ARGV do passed = passed .. ARGV[i] .. ' ' end
for name in string.gmatch(head[3] or '', '%S+') do
    if not string.find(passed, ' ' .. name .. ' ', 1, true) then return {'logs', head[3]} end
end
for i = 1, #KEYS do
    if i ~= 5 then redis.call('DEL', KEYS[i]) end
end
if ARGV[1] ~= '0' then
    redis.call('HSET', meta, 'g', 1)
    redis.call('PEXPIRE', meta, ARGV[1])
end
redis.call('PUBLISH', ARGV[3], 'gone')
return {'ok', 1}
