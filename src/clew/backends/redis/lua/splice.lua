-- splice(key, data, mark, tail, keep, whole, ttl, last, most, head): change a value at its end, or all of it, by how it ends.
--
-- KEYS  1 the literal key
-- ARGV  1 data; 2 mark; 3 bytes of the tail; 4 how many of them stay, after the data; 5 '1' for the whole value;
--       6 milliseconds to live, '0' for ever, '' as before, or, with 7, from where in the tail they are read; 7 to where, or '';
--       8 the most bytes of a value; 9 what comes to the beginning, or ''
-- Returns {'done', 'other', 'none' or 'large', the tail before, or false}
local size = tonumber(ARGV[3])
local tail = redis.call('GETRANGE', KEYS[1], -size, -1)
if tail == '' and redis.call('EXISTS', KEYS[1]) == 0 then return {'none', false} end
if #tail < size or string.sub(tail, 1, #ARGV[2]) ~= ARGV[2] then return {'other', tail} end
local ttl = ARGV[6]
if ARGV[7] ~= '' then ttl = string.match(string.sub(tail, ARGV[6], ARGV[7]), '^ *(%d+)$') or '' end
if ARGV[5] == '1' then
    redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')
else
    local at = redis.call('STRLEN', KEYS[1]) - size
    local data = ARGV[1] .. string.sub(tail, size - ARGV[4] + 1)
    if at + #data > tonumber(ARGV[8]) then return {'large', tail} end
    if #ARGV[9] > at then return {'other', tail} end
    redis.call('SETRANGE', KEYS[1], at, data)
    if ARGV[9] ~= '' then redis.call('SETRANGE', KEYS[1], 0, ARGV[9]) end
end
if ttl == '' then return {'done', tail} end
if tonumber(ttl) == 0 then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ttl) end
return {'done', tail}
