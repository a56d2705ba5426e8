-- nearest(partition, index, elements): change an index of vectors, which is kept and goes as a log of its partition is.
--
-- KEYS  1 meta, 2 the index: a vector set
-- ARGV  1 'put', 'begin' or 'end', 2 the index's name among the logs, then for each element its name, and its vector or ''
-- Returns {'ok'}, {'gone'}, {'absent'} where there is no such partition, or {'missing'} where there is no such index
local meta, index, verb, name = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local head = redis.call('HMGET', meta, 'g', 'r', 'l')
if head[1] then return {'gone'} end
if not head[2] then return {'absent'} end
local names = {}
for each in string.gmatch(head[3] or '', '%S+') do
    if each ~= name then names[#names + 1] = each end
end
if verb == 'end' then
    redis.call('DEL', index)
    redis.call('HSET', meta, 'l', table.concat(names, ' '))
    return {'ok'}
end
if redis.call('EXISTS', index) == 0 then
    if verb == 'put' then return {'missing'} end
    names[#names + 1] = name
    redis.call('HSET', meta, 'l', table.concat(names, ' '))
end
for i = 3, #ARGV, 2 do
    if ARGV[i + 1] ~= '' then redis.call('VADD', index, 'FP32', ARGV[i + 1], ARGV[i], 'NOQUANT')
    elseif redis.call('EXISTS', index) == 1 then redis.call('VREM', index, ARGV[i]) end
end
-- It ends with its partition. Where that is moved later, so is this, as a log is.
local left = redis.call('PTTL', meta)
if left >= 0 then redis.call('PEXPIRE', index, left) else redis.call('PERSIST', index) end
return {'ok'}
