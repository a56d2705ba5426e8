-- expire(partition, ttl, kind): let the whole partition vanish, or stay.
--
-- KEYS  1 meta, 2 docs, 3 once, 4 leases, then list, ids and new ids of each log
-- ARGV  1 milliseconds, or '' to keep it; 2 'fixed' or 'sliding'; 3.. the logs' names
-- Returns {'ok', 1 or 0}, {'gone'}, or {'logs', names} where the partition has a log that was not passed.
local meta = KEYS[1]
local head = redis.call('HMGET', meta, 'g', 'r', 'l')
if head[1] then return {'gone'} end
if not head[2] then return {'ok', 0} end
local passed = ' '
for i = 3, #ARGV do passed = passed .. ARGV[i] .. ' ' end
for name in string.gmatch(head[3] or '', '%S+') do
    if not string.find(passed, ' ' .. name .. ' ', 1, true) then return {'logs', head[3]} end
end
redis.call('HDEL', meta, 'x', 'd', 'e')
if ARGV[1] == '' then
    for i = 1, #KEYS do redis.call('PERSIST', KEYS[i]) end
    return {'ok', 1}
end
local time = redis.call('TIME')
local deadline = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
if ARGV[2] == 'sliding' then redis.call('HSET', meta, 'x', ARGV[1]) else redis.call('HSET', meta, 'd', string.format('%.0f', deadline)) end
for i = 1, #KEYS do redis.call('PEXPIREAT', KEYS[i], string.format('%.0f', deadline)) end
return {'ok', 1}
