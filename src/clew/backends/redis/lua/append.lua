-- append(log, expect, listed, entries): the commit that nearly all are, appends to one log and nothing else, of several callers
-- at once. Straight on for the common case; what is rare is a function, made only where it is called.
--
-- KEYS  1 meta hash, 2 docs hash, 3 once hash, 4 leases hash, 5 listing zset ('' outside: then meta again), 6 list, 7 ids hash
-- ARGV  1 expect ('' none, -1 present), 2 name in the listing or '', 3 channel, 4 the log's name, 5-8 its fields in meta:
--       n, b, h and k; 9 how many commits this is; 10 how many buckets the caller takes ids to have;
--       then for each entry, at most 100: the digest of its id, its bucket if that number is right, and its envelope
-- Returns {'ok', first revision, ms, buckets, outcome ...}, {'gone'}, {'absent'}, {'logs', names}, or {'gap'}: commit.lua must do it
local meta, list, ids = KEYS[1], KEYS[6], KEYS[7]
local head = redis.call('HMGET', meta, 'g', 'r', 'l', 'x', 'd', 'e', ARGV[5], ARGV[6], ARGV[7], ARGV[8])
if head[1] then return {'gone'} end
local revision = tonumber(head[2] or 0)
if ARGV[1] ~= '' and revision == 0 then return {'absent'} end
if head[9] and head[9] ~= '0' then return {'gap'} end
local expires = head[4] or head[5]
if expires and head[3] and head[3] ~= ARGV[4] then return {'logs', head[3]} end
local first, base, count = tonumber(head[7] or 1), tonumber(head[8] or 1), tonumber(head[10] or 1)
local next_position = first
local time = redis.call('TIME')
local ms = time[1] * 1000 + (time[2] - time[2] % 1000) / 1000
local answer, envelopes, packed = {'ok', revision + 1, ms, count}, {}, {}
local as_guessed = tonumber(ARGV[10]) == count

local function library()
    --include ids
    return find_in, grow, bucket_of, without, key_of
end

local total, different, fields = (#ARGV - 10) / 3, 0, {}
local buckets = {}
for i = 1, total do
    local bucket = ARGV[9 + 3 * i]
    if not as_guessed then
        local _, _, bucket_of = library()
        bucket = tostring(bucket_of(ARGV[8 + 3 * i], count))
    end
    buckets[i] = bucket
    if not packed[bucket] then
        packed[bucket] = ''
        different = different + 1
        fields[different] = bucket
    end
end
if first > 1 then
    local stored = redis.call('HMGET', ids, unpack(fields))
    for i = 1, different do packed[fields[i]] = stored[i] or '' end
end
local fresh = 0
for i = 1, total do
    local at, bucket = 8 + 3 * i, buckets[i]
    local digest, records = ARGV[at], packed[bucket]
    local live
    if string.find(records, digest, 1, true) then
        local position
        local find_in, _, _, _, key_of = library()
        position, live = find_in(records, list, base, digest, key_of(ARGV[at + 2]), first, envelopes)
        if live then answer[4 + i] = -position
        elseif position then
            -- Removed before: its old record makes way.
            local _, _, _, without = library()
            records = without(records, digest, position)
        end
    end
    if not live then
        packed[bucket] = records .. digest .. struct.pack('>I4', next_position)
        fresh = fresh + 1
        envelopes[fresh] = ARGV[at + 2]
        answer[4 + i] = next_position
        next_position = next_position + 1
    end
end

revision = revision + ARGV[9]
if next_position > first then
    if different == 1 then redis.call('HSET', ids, fields[1], packed[fields[1]])
    else
        local writes, used = {}, 0
        for i = 1, different do
            local records = packed[fields[i]]
            if records ~= '' then
                writes[used + 1], writes[used + 2] = fields[i], records
                used = used + 2
            end
        end
        redis.call('HSET', ids, unpack(writes))
    end
    redis.call('RPUSH', list, unpack(envelopes))
    if head[7] then redis.call('HSET', meta, 'r', revision, 'u', ms, ARGV[5], next_position)
    else redis.call('HSET', meta, 'r', revision, 'u', ms, ARGV[5], next_position, 'l', head[3] and head[3] .. ' ' .. ARGV[4] or ARGV[4]) end
    if count * 12 < next_position then
        local log = {ids = ids, count = count, next = next_position}
        local _, grow = library()
        grow(log)
        redis.call('HSET', meta, ARGV[8], log.count)
        answer[4] = log.count
    end
    redis.call('PUBLISH', ARGV[3], ARGV[4])
else
    redis.call('HSET', meta, 'r', revision, 'u', ms)
end
if not head[2] then redis.call('HSET', meta, 'c', ms) end
if expires then
    --include expiry
    local keys = {meta, KEYS[2], KEYS[3], KEYS[4], list, ids}
    local ends = keep_alive(keys, tonumber(head[4]), tonumber(head[5]), tonumber(head[6]), first == base or not head[6], ms)
    if ends then redis.call('HSET', meta, 'e', ends) end
end
if ARGV[2] ~= '' then redis.call('ZADD', KEYS[5], 'GT', time[1] * 1000000 + time[2], ARGV[2]) end
return answer
