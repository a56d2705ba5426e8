-- checkpoints(range, limit): checkpoints in descending order, with their writes and parts. Reads only; the entries that parts refer
-- to come beside it, by a native LRANGE.
--
-- KEYS  1 meta hash, 2 the list of the log `items`, 3 points, 4 parts, 5 writes
-- ARGV  1 how many to name at most, 2 how many of these to answer with all they have, 3-4 from where down to where in points (bounds
--       of ZREVRANGEBYLEX), 5 '' or a bound from where to go on with every branch, 6 there only ids below this one
-- Returns {'gone'}, or {'ok', when the partition was made, position of the list's first element, its length, members of points,
--       the writes of each, parts and their values in turn}
--include chains
--include gather
local meta, list, points, parts, writes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local head = redis.call('HMGET', meta, 'g', 'c', 'b:items')
if head[1] then return {'gone'} end
local limit, rest = tonumber(ARGV[1]), ARGV[5]
local members = redis.call('ZREVRANGEBYLEX', points, ARGV[3], ARGV[4], 'LIMIT', 0, limit)
while rest ~= '' and #members < limit do
    local next = redis.call('ZREVRANGEBYLEX', points, rest, '-', 'LIMIT', 0, 1)[1]
    if not next then break end
    local branch = string.sub(next, 1, (string.find(next, '\0', 1, true)))
    local more = redis.call('ZREVRANGEBYLEX', points, '(' .. branch .. ARGV[6] .. '\0', '[' .. branch, 'LIMIT', 0, limit - #members)
    for i = 1, #more do members[#members + 1] = more[i] end
    rest = '(' .. branch
end
local answer = {'ok', head[2] or 0, head[3] or 1, redis.call('LLEN', list), members}
if ARGV[2] == '0' then return answer end
local written = {}
for i = 1, math.min(#members, tonumber(ARGV[2])) do
    local branch, id, point = read_point(members[i])
    local start = branch .. id
    written[i] = redis.call('ZRANGEBYLEX', writes, '[' .. start .. '\0', '(' .. start .. '\1')
    for k = 2, #point do want(branch, point[k]) end
end
answer[6], answer[7] = written, gather(parts, {})
return answer
