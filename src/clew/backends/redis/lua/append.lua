-- append(log, expect, listed, entries): the commit that nearly all are, appends to one log and nothing else, of several callers
-- at once. Straight on for the common case; what is rare is a function, made only where it is called.
--
-- KEYS  1 meta hash, 2 docs hash, 3 once hash, 4 leases hash, 5 listing zset ('' outside: then meta again), 6 list, 7 ids hash,
--       8 new ids
-- ARGV  1 expect ('' none, -1 present), 2 name in the listing or '', 3 channel, 4 the log's name, 5-7 its fields in meta:
--       n, b and h; 8 how many commits this is; 9 '1' where an id may be there already, '' where each was made for this
--       very call; 10 the digests of the ids, 6 bytes each; then at most 100 envelopes
-- Returns {'ok', first revision, ms, first position} where every entry is new, and where not also the outcome of each;
--         {'gone'}, {'absent'}, {'logs', names}, or {'gap'}: commit.lua must do it, as where a new partition gets its lines in listings
local meta, list, ids, new = KEYS[1], KEYS[6], KEYS[7], KEYS[8]
local head = redis.call('HMGET', meta, 'g', 'r', 'l', 'x', 'd', 'e', ARGV[5], ARGV[6], ARGV[7])
if head[1] then return {'gone'} end
local revision = tonumber(head[2] or 0)
if ARGV[1] ~= '' and revision == 0 then return {'absent'} end
if head[9] and head[9] ~= '0' or revision == 0 and ARGV[2] ~= '' then return {'gap'} end
local expires = head[4] or head[5]
if expires and head[3] and head[3] ~= ARGV[4] then return {'logs', head[3]} end
local first, base = tonumber(head[7] or 1), tonumber(head[8] or 1)
local time = redis.call('TIME')
local ms = time[1] * 1000 + (time[2] - time[2] % 1000) / 1000
local answer = {'ok', revision + 1, ms, first}
local total, digests = #ARGV - 10, ARGV[10]
local fresh, first_of_key

if ARGV[9] ~= '' then
    --include ids
    fresh = {}
    local log = make_log(list, ids, new, first, base)
    log.first, log.fresh = first, fresh
    local added, kept = 0, {}
    for i = 1, total do
        local envelope, digest = ARGV[10 + i], string.sub(digests, DIGEST * i - 5, DIGEST * i)
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
    if fresh then redis.call('RPUSH', list, unpack(fresh)) else redis.call('RPUSH', list, unpack(ARGV, 11)) end
    local waits = redis.call('APPEND', new, digests)
    first_of_key = first == base or waits == #digests
    if waits >= 1536 then
        --include ids
        settle(make_log(list, ids, new, first + total, base))
        first_of_key = true
    end
    if head[7] then redis.call('HSET', meta, 'r', revision + ARGV[8], 'u', ms, ARGV[5], first + total)
    else
        redis.call('HSET', meta, 'r', revision + ARGV[8], 'u', ms, ARGV[5], first + total,
            'l', head[3] and head[3] .. ' ' .. ARGV[4] or ARGV[4])
    end
    redis.call('PUBLISH', ARGV[3], ARGV[4])
else
    redis.call('HSET', meta, 'r', revision + ARGV[8], 'u', ms)
end
if not head[2] then redis.call('HSET', meta, 'c', ms) end
if expires then
    --include expiry
    local keys = {meta, KEYS[2], KEYS[3], KEYS[4], list, ids, new}
    local ends = keep_alive(keys, tonumber(head[4]), tonumber(head[5]), tonumber(head[6]), first_of_key or not head[6], ms)
    if ends then redis.call('HSET', meta, 'e', ends) end
end
if ARGV[2] ~= '' and redis.call('ZADD', KEYS[5], 'GT', time[1] * 1000000 + time[2], ARGV[2]) == 1 then
    --include made
    stand(KEYS[5], ARGV[2], time[1] * 1000000 + time[2])
end
return answer
