-- checkpoint(expect, lease, appends, checkpoint or writes): the commits that a program makes at every step: a checkpoint with the
-- few items that are new, or writes. Straight on for the common case; all else is commit.lua's.
--
-- KEYS  1 meta hash, 2 docs hash, 3 once hash, 4 leases hash, 5 listing zset ('' outside: then meta again), 6-8 the log `items`: its
--       list, ids hash and new ids, 9 points, 10 parts, 11 writes
-- ARGV  1 expect ('' none, -1 present), 2 name in the listing or '', 3 channel, 4 the lease that must be the writer's or '', 5 its
--       fence, 6 'cpt' or 'wrs', 7 the digests of the ids of the items, 6 bytes each, then their envelopes, then the checkpoint or
--       the writes, as points.lua says
-- Returns {'ok', revision, ms, outcome of the checkpoint or the writes, position of each item, negative where it was there}, or
--       a refusal: {'gone'}, {'absent'}, {'fenced', the newest fence}, {'made', when}, {'part', field}, or {'general'}: commit.lua
--       must do it
--include points
local meta, list, ids, new, points, parts, writes = KEYS[1], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local head = redis.call('HMGET', meta, 'g', 'r', 'c', 'l', 'x', 'd', 'e', 'n:items', 'b:items', 'h:items')
if head[1] then return {'gone'} end
local revision = head[2]
if not revision then return {ARGV[1] == '' and 'general' or 'absent'} end
local logs, expires = head[4] or '', head[5] or head[6]
local known = logs == 'items %2Acheckpoints' or logs == '%2Acheckpoints items' or logs == '%2Acheckpoints'
if head[10] and head[10] ~= '0' or expires and not known and logs ~= 'items' and logs ~= '' then return {'general'} end
if ARGV[4] ~= '' then
    local held = redis.call('HGET', KEYS[4], ARGV[4])
    local fence = held and string.match(held, '^%d+')
    if fence ~= ARGV[5] then return {'fenced', fence} end
end
local count = #ARGV[7] / 6
local at, puts = 8 + count, ARGV[6] == 'cpt'
if puts then
    local _, why, which = check_point(at, head[3], parts)
    if why == 'made' then return {why, tonumber(head[3])} end
    if why then return {why, which} end
end

local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local ms = (us - us % 1000) / 1000
local answer = {'ok', revision + 1, ms, 0}
local set = {'r', revision + 1, 'u', ms}
local first, base = tonumber(head[8] or 1), tonumber(head[9] or 1)
-- Whether a key is new, and so without an end.
local is_new = not known
if count > 0 then
    --include ids
    local log, positions, added, kept = make_log(list, ids, new, first, base), {}, 0, {}
    log.first, log.fresh = first, {}
    for i = 1, count do
        local envelope, digest = ARGV[7 + i], string.sub(ARGV[7], DIGEST * i - 5, DIGEST * i)
        local position, live = find(log, digest, key_of(envelope))
        answer[4 + i] = live and -position
        if not live then
            if position then forget(log, digest, position) end
            log.wait = log.wait .. digest
            position = first + added
            added = added + 1
            log.fresh[added], kept[added] = envelope, digest
            answer[4 + i] = position
        end
        positions[i] = position
    end
    if added > 0 then
        redis.call('RPUSH', list, unpack(log.fresh))
        local waits = redis.call('APPEND', new, table.concat(kept))
        is_new = is_new or first == base or waits == added * DIGEST
        if waits >= WAIT * DIGEST then
            settle(make_log(list, ids, new, first + added, base))
            is_new = true
        end
        set[5], set[6] = 'n:items', first + added
        if not head[8] then logs = logs == '' and 'items' or logs .. ' items' end
        redis.call('PUBLISH', ARGV[3], 'items')
    end
    put_point(at, points, parts, positions)
elseif puts then put_point(at, points, parts)
end
if puts then answer[4] = tonumber(head[3]) else answer[4] = put_writes(at, writes) end

if not known and not string.find(' ' .. logs .. ' ', ' %2Acheckpoints ', 1, true) then
    logs = logs == '' and '%2Acheckpoints' or logs .. ' %2Acheckpoints'
end
if logs ~= head[4] then set[#set + 1], set[#set + 2] = 'l', logs end
if expires then
    is_new = is_new or not head[7] or redis.call('PTTL', puts and points or writes) == -1
        or puts and redis.call('PTTL', parts) == -1
    if is_new or head[5] and (ms + head[5] - head[7]) * 64 >= tonumber(head[5]) then
        --include expiry
        local keys = {meta, KEYS[2], KEYS[3], KEYS[4], list, ids, new, points, parts, writes}
        local ends = keep_alive(keys, tonumber(head[5]), tonumber(head[6]), tonumber(head[7]), is_new, ms)
        if ends then set[#set + 1], set[#set + 2] = 'e', ends end
    end
end
redis.call('HSET', meta, unpack(set))
if ARGV[2] ~= '' and redis.call('ZADD', KEYS[5], 'GT', us, ARGV[2]) == 1 then
    --include made
    stand(KEYS[5], ARGV[2], us)
end
return answer
