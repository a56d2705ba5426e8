-- append(log, expect, listed, entries): the commit that nearly all are, appends to one log and nothing else, of several callers
-- at once.
--
-- KEYS  1 meta hash, 2 docs hash, 3 once hash, 4 leases hash, 5 list, 6 ids hash, 7 new ids, 8 listing zset ('' outside: then meta
--       again)
-- ARGV  1 expect ('' none, -1 present), 2 name in the listing or '', 3 channel, 4 the log's name, 5 '' for one commit whose ids were
--       all made for this very call, else how many commits this is, and a '?' where an id may be there already;
--       6 the digests of the ids, 6 bytes each; then at most 100 envelopes. Each word costs the server as much as a small command.
-- Returns {'ok', first revision, ms, first position} where every entry is new, and where not also the outcome of each;
--         {'gone'}, {'absent'}, {'logs', names}, or {'gap'}: commit.lua must do it, as where a new partition gets its lines in listings
--include append_to
local time = call('TIME')
local us = time[1] * 1000000 + time[2]
local answer, written = append_to(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7],
    ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], 6, #ARGV - 6, us)
if written and ARGV[2] ~= '' and call('ZADD', KEYS[8], 'GT', us, ARGV[2]) == 1 then
    --include made
    stand(KEYS[8], ARGV[2], us)
end
return answer
