-- page(log, cursors, limit, order): entries between two cursors of which one is an id: its place and the page in one call.
-- For short pages; long ones go out as a native LRANGE, after `locate`.
--
-- KEYS  1 meta hash, 2 the log's list, 3 its ids hash, 4 its new ids
-- ARGV  1 the log's name, 2 limit, 3 '1' newest first, 4 '1' inclusive,
--       then for after and before: '' none, 'p' a position or 'i' an id's digest, and its key
-- Returns {'gone'}, {'cursor', 1 or 2}, or {'ok', 1 or 0 for more, position, envelope, ...}
--include ids
local head = redis.call('HMGET', KEYS[1], 'g', 'n:' .. ARGV[1], 'b:' .. ARGV[1])
if head[1] then return {'gone'} end
local log = make_log(KEYS[2], KEYS[3], KEYS[4], head[2], head[3])
local bounds = {0, log.next}
for i = 1, 2 do
    local kind, place, key = ARGV[2 + 3 * i], ARGV[3 + 3 * i], ARGV[4 + 3 * i]
    local step = i == 1 and -1 or 1
    if kind == 'i' then
        local position = head[2] and find(log, place, key)
        if not position then return {'cursor', i} end
        bounds[i] = position + (ARGV[4] == '1' and step or 0)
    elseif kind == 'p' then bounds[i] = tonumber(place) + (ARGV[4] == '1' and step or 0) end
end
local length = redis.call('LLEN', log.list)
local low, high = math.max(bounds[1] + 1, log.base), math.min(bounds[2] - 1, log.base + length - 1)
local limit, newest_first = tonumber(ARGV[2]), ARGV[3] == '1'
local answer, found, size = {'ok', 0}, 0, limit + 1
while low <= high do
    local from, to = low, math.min(low + size - 1, high)
    if newest_first then from, to = math.max(high - size + 1, low), high end
    local envelopes = redis.call('LRANGE', log.list, from - log.base, to - log.base)
    for i = 1, #envelopes do
        local at = newest_first and #envelopes + 1 - i or i
        if envelopes[at] ~= HOLE then
            if found == limit then
                answer[2] = 1
                return answer
            end
            found = found + 1
            answer[2 * found + 1], answer[2 * found + 2] = from + at - 1, envelopes[at]
        end
    end
    if newest_first then high = from - 1 else low = to + 1 end
    size = math.min(size * 2, 4096)
end
return answer
