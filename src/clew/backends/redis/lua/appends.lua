-- appends(several times append): what append.lua does, for several partitions of one server that are in one listing, or in none.
--
-- KEYS  1 listing zset ('' outside: then the first meta), then for each partition the seven keys of append.lua
-- ARGV  for each partition: the words 1 to 5 of append.lua, how many envelopes, the digests, and the envelopes
-- Returns what append.lua does for each partition, in order.
--include append_to
local time = call('TIME')
local us = time[1] * 1000000 + time[2]
local answers, lines, at = {}, {}, 1
for k = 2, #KEYS, 7 do
    local total, listed = tonumber(ARGV[at + 5]), ARGV[at + 1]
    -- Each has a moment of its own, so that the listing has an order.
    us = us + 1
    local answer, written = append_to(KEYS[k], KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], KEYS[k + 4], KEYS[k + 5], KEYS[k + 6],
        ARGV[at], listed, ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], at + 6, total, us)
    answers[#answers + 1] = answer
    if written and listed ~= '' then lines[#lines + 1], lines[#lines + 2] = us, listed end
    at = at + 7 + total
end
if #lines > 0 and call('ZADD', KEYS[1], 'GT', unpack(lines)) > 0 then
    --include made
    local made = made_of(KEYS[1])
    for i = 2, #lines, 2 do
        if not call('ZSCORE', made, lines[i]) then stand(KEYS[1], lines[i], lines[i - 1]) end
    end
end
return answers
