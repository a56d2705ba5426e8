-- locate(log, ids): where the entries with these ids stand, removed ones too. Reads only.
--
-- KEYS  1 meta hash, 2 the log's list, 3 its ids hash, 4 its new ids
-- ARGV  1 the log's name, then for each id: its digest and its key
-- Returns {'gone'}, or {'ok', position or 0, ...}
--include ids
local head = redis.call('HMGET', KEYS[1], 'g', 'n:' .. ARGV[1], 'b:' .. ARGV[1])
if head[1] then return {'gone'} end
local log = make_log(KEYS[2], KEYS[3], KEYS[4], head[2], head[3])
local answer = {'ok'}
for at = 2, #ARGV, 2 do
    local position = head[2] and find(log, ARGV[at], ARGV[at + 1])
    answer[#answer + 1] = position or 0
end
return answer
