-- Shared by the scripts that write checkpoints; taken in by `--include points`. Not a script of its own.
--
-- points: a zset of score 0, its members `branch NUL id NUL size fields head`: fields is the MessagePack array [parent or '',
-- the names of its parts ...], size its length in four bytes.
-- parts: a hash, `branch NUL name` -> byte 0 and data, or byte 1, size, the MessagePack array [after or '', first, count, ...] and
-- data.
-- writes: a zset of score 0, its members `branch NUL id NUL path NUL task NUL index NUL channel NUL data`; index is 1000 more than
-- the write's, in seven digits.
-- So the order of the bytes is the order of what is read, and a range ends where its NUL would be a 1.

-- The end of the range of members that begin with `start`, which ends in NUL.
local function past(start)
    return '(' .. string.sub(start, 1, -2) .. '\1'
end

-- The fields of a part with the positions of this commit's appends in place of negative ones; neighbours are joined.
local function place(fields, positions)
    local given = cmsgpack.unpack(fields)
    local placed, size = {given[1]}, 1
    local function add(first, count)
        if size > 1 and placed[size - 1] + placed[size] == first then placed[size] = placed[size] + count
        else
            placed[size + 1], placed[size + 2] = first, count
            size = size + 2
        end
    end
    for i = 2, #given, 2 do
        local first, count = given[i], given[i + 1]
        if first > 0 then add(first, count) else
            for k = -first, count - first - 1 do add(positions[k], 1) end
        end
    end
    return cmsgpack.pack(placed)
end

-- A checkpoint stands in ARGV from `at` on: made_ms or '', `branch NUL id NUL`, its member, how many parts have to be there, these,
-- how many parts it brings, and of each its field in the hash, '' or the fields to place, and the value, of which these are missing.

-- Where the next thing stands, and why this one is refused, if it is.
local function check_point(at, made, parts)
    if ARGV[at] ~= '' and ARGV[at] ~= made then return at, 'made' end
    local last = at + 3 + ARGV[at + 3]
    for i = at + 4, last do
        if redis.call('HEXISTS', parts, ARGV[i]) == 0 then return at, 'part', ARGV[i] end
    end
    return last + 2 + 3 * ARGV[last + 1]
end

local function put_point(at, points, parts, positions)
    local start = ARGV[at + 1]
    local low, high = '[' .. start, past(start)
    -- Counted first: a full server refuses a script whose first write needs memory, and not one that has begun to write.
    if redis.call('ZLEXCOUNT', points, low, high) > 0 then redis.call('ZREMRANGEBYLEX', points, low, high) end
    redis.call('ZADD', points, 0, ARGV[at + 2])
    local from = at + 4 + ARGV[at + 3]
    for i = from + 1, from + 3 * ARGV[from], 3 do
        local value = ARGV[i + 2]
        if ARGV[i + 1] ~= '' then
            local fields = place(ARGV[i + 1], positions)
            value = '\1' .. struct.pack('>I4', #fields) .. fields .. value
        end
        redis.call('HSETNX', parts, ARGV[i], value)
    end
end

-- Writes stand in ARGV from `at` on: what all of them begin with up to the task, or '', how many they are, and of each the score and
-- the member, no two with the same place.
local function put_writes(at, writes)
    local start, count = ARGV[at], tonumber(ARGV[at + 1])
    local last = at + 1 + 2 * count
    if start ~= '' and redis.call('ZLEXCOUNT', writes, '[' .. start, past(start)) == 0 then
        for i = at + 2, last, 1000 do redis.call('ZADD', writes, unpack(ARGV, i, math.min(i + 999, last))) end
        return count
    end
    local changed = 0
    for i = at + 3, last, 2 do
        local member, stop = ARGV[i], 0
        for _ = 1, 5 do stop = string.find(member, '\0', stop + 1, true) end
        start = string.sub(member, 1, stop)
        local there = redis.call('ZRANGEBYLEX', writes, '[' .. start, past(start), 'LIMIT', 0, 1)[1]
        if not there or there ~= member and tonumber(string.sub(member, stop - 7, stop - 1)) < 1000 then
            if there then redis.call('ZREM', writes, there) end
            redis.call('ZADD', writes, 0, member)
            changed = changed + 1
        end
    end
    return changed
end
