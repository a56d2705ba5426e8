-- checkpoint_trace(point, channels): walk from a checkpoint to its ancestors, until each channel has its seed. Reads only; the
-- entries that parts refer to come beside it, by a native LRANGE.
--
-- KEYS  1 meta hash, 2 the list of the log `items`, 3 points, 4 parts, 5 writes
-- ARGV  1-2 bounds of ZREVRANGEBYLEX in points, of which the first is where to start, then the channels
-- Returns {'gone'}, or {'ok', when the partition was made, position of the list's first element, its length, id of each ancestor,
--       the writes of each whose channel was asked for and not found yet, the names of the seeds, parts and their values in turn, 1
--       where the walk has to go on from the last ancestor, for a server does nothing else meanwhile, or 0}
local MOST = 1000
--include chains
--include gather
local meta, list, points, parts, writes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local head = redis.call('HMGET', meta, 'g', 'c', 'b:items')
if head[1] then return {'gone'} end
local open, left = {}, 0
for i = 3, #ARGV do
    if not open[ARGV[i]] then left = left + 1 end
    open[ARGV[i]] = true
end
local ids, written, seeds, seen = {}, {}, {}, {}
local member = redis.call('ZREVRANGEBYLEX', points, ARGV[1], ARGV[2], 'LIMIT', 0, 1)[1]
local branch, id, point, _
if member then
    branch, id, point = read_point(member)
    seen[id] = true
end
while point and left > 0 and #ids < MOST do
    id = point[1]
    -- Whoever names a parent may name any: a ring ends where it closes.
    if id == '' or seen[id] then break end
    seen[id] = true
    local low, high = '[' .. branch .. id .. '\0', '(' .. branch .. id .. '\1'
    member = redis.call('ZRANGEBYLEX', points, low, high, 'LIMIT', 0, 1)[1]
    if not member then break end
    local all, kept = redis.call('ZRANGEBYLEX', writes, low, high), {}
    for i = 1, #all do
        local stop = #low - 1
        for _ = 1, 3 do stop = string.find(all[i], '\0', stop + 1, true) end
        if open[string.sub(all[i], stop + 1, string.find(all[i], '\0', stop + 1, true) - 1)] then kept[#kept + 1] = all[i] end
    end
    ids[#ids + 1], written[#written + 1] = id, kept
    _, _, point = read_point(member)
    -- Of two parts of a channel the last.
    for i = #point, 2, -1 do
        local channel = string.sub(point[i], 1, string.find(point[i], '\0', 1, true) - 1)
        if open[channel] then
            open[channel], left = nil, left - 1
            seeds[#seeds + 1] = point[i]
            want(branch, point[i])
        end
    end
end
return {'ok', head[2] or 0, head[3] or 1, redis.call('LLEN', list), ids, written, seeds, gather(parts, {}), left > 0 and #ids == MOST and 1 or 0}
