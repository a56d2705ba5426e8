-- swap(key, when, data, ttl): set or delete a plain value if the one stored now is the expected one.
--
-- KEYS  1 the literal key
-- ARGV  1 when: 'none', or '=' and the bytes; 2 'put' or 'del'; 3 data; 4 milliseconds to live, or ''
-- Returns {written (1 or 0), what was stored before, or false}
local now = redis.call('GET', KEYS[1])
if ARGV[1] == 'none' then
    if now then return {0, now} end
elseif not now or '=' .. now ~= ARGV[1] then
    return {0, now}
end
if ARGV[2] == 'del' then redis.call('DEL', KEYS[1])
elseif ARGV[4] == '' then redis.call('SET', KEYS[1], ARGV[3])
else redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4]) end
return {1, now}
