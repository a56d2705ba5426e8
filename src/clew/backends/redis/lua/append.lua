-- append(log, expect, listed, entries): the commit that nearly all are, appends to one log and nothing else, of several callers
-- at once. Straight on for the common case; what is rare is a function, made only where it is called.
--
-- KEYS  1 meta hash, 2 docs hash, 3 once hash, 4 leases hash, 5 listing zset ('' outside: then meta again), 6 list, 7 ids hash,
--       8 new ids
-- ARGV  1 expect ('' none, -1 present), 2 name in the listing or '', 3 channel, 4 the log's name, 5 '' for one commit whose ids were
--       all made for this very call, else how many commits this is, and a '?' where an id may be there already;
--       6 the digests of the ids, 6 bytes each; then at most 100 envelopes. Each word costs the server as much as a small command.
-- Returns {'ok', first revision, ms, first position} where every entry is new, and where not also the outcome of each;
--         {'gone'}, {'absent'}, {'logs', names}, or {'gap'}: commit.lua must do it, as where a new partition gets its lines in listings
local meta, list, ids, new = KEYS[1], KEYS[6], KEYS[7], KEYS[8]
local call, name, how = redis.call, ARGV[4], ARGV[5]
local next_field, base_field, gap_field = 'n:items', 'b:items', 'h:items'
if name ~= 'items' then next_field, base_field, gap_field = 'n:' .. name, 'b:' .. name, 'h:' .. name end
local head = call('HMGET', meta, 'g', 'r', 'l', 'x', 'd', 'e', next_field, base_field, gap_field)
if head[1] then return {'gone'} end
local revision = tonumber(head[2] or 0)
if ARGV[1] ~= '' and revision == 0 then return {'absent'} end
if head[9] and head[9] ~= '0' or revision == 0 and ARGV[2] ~= '' then return {'gap'} end
local expires = head[4] or head[5]
if expires and head[3] and head[3] ~= name then return {'logs', head[3]} end
local first, commits, look = tonumber(head[7] or 1), 1, false
if how ~= '' then commits, look = string.match(how, '%d+'), string.find(how, '?', 1, true) end
local time = call('TIME')
local us = time[1] * 1000000 + time[2]
local ms = (us - us % 1000) / 1000
local answer = {'ok', revision + 1, ms, first}
local total, digests = #ARGV - 6, ARGV[6]
local fresh, first_of_key

if look then
    --include ids
    fresh = {}
    local log = make_log(list, ids, new, first, head[8])
    log.first, log.fresh = first, fresh
    local added, kept = 0, {}
    for i = 1, total do
        local envelope, digest = ARGV[6 + i], string.sub(digests, DIGEST * i - 5, DIGEST * i)
        local position, live = find(log, digest, key_of(envelope))
        if live then answer[4 + i] = -position
        else
            if position then forget(log, digest, position) end
            log.wait = log.wait .. digest
            answer[4 + i] = first + added
            added = added + 1
            fresh[added], kept[added] = envelope, digest
        end
    end
    digests, total = table.concat(kept), added
end

if total > 0 then
    if fresh then call('RPUSH', list, unpack(fresh)) else call('RPUSH', list, unpack(ARGV, 7)) end
    local waits = call('APPEND', new, digests)
    first_of_key = waits == #digests or head[7] == head[8]
    if waits >= 1536 then
        --include ids
        settle(make_log(list, ids, new, first + total, head[8]))
        first_of_key = true
    end
    if head[7] then call('HSET', meta, 'r', revision + commits, 'u', ms, next_field, first + total)
    else
        call('HSET', meta, 'r', revision + commits, 'u', ms, next_field, first + total, 'l', head[3] and head[3] .. ' ' .. name or name)
    end
    call('PUBLISH', ARGV[3], name)
else
    call('HSET', meta, 'r', revision + commits, 'u', ms)
end
if not head[2] then call('HSET', meta, 'c', ms) end
-- Nearly every append to one that expires is too soon after the last to renew its times: told here, where it costs least.
local sliding = tonumber(head[4])
if expires and (first_of_key or not head[6] or sliding and (ms + sliding - head[6]) * 64 >= sliding) then
    --include expiry
    local keys = {meta, KEYS[2], KEYS[3], KEYS[4], list, ids, new}
    local ends = keep_alive(keys, sliding, tonumber(head[5]), tonumber(head[6]), first_of_key or not head[6], ms)
    if ends then call('HSET', meta, 'e', ends) end
end
if ARGV[2] ~= '' and call('ZADD', KEYS[5], 'GT', us, ARGV[2]) == 1 then
    --include made
    stand(KEYS[5], ARGV[2], us)
end
return answer
