-- append(log, expect, listed, entries): the commit that nearly all are, appends to one log and nothing else.
--
-- KEYS  1 meta hash, 2 docs hash, 3 once hash, 4 leases hash, 5 listing zset ('' outside: then meta again), 6 list, 7 ids hash
-- ARGV  1 expect ('' none, -1 present), 2 name in the listing or '', 3 channel, 4 the log's name,
--       then for each entry, at most 100: digest, key, envelope
-- Returns {'ok', revision, ms, outcome ...}, {'gone'}, {'absent'}, {'logs', names}, or {'gap'}: commit.lua must do it
local meta, listing, list, ids, name = KEYS[1], KEYS[5], KEYS[6], KEYS[7], ARGV[4]
local head = redis.call('HMGET', meta, 'g', 'r', 'l', 'x', 'd', 'e', 'n:' .. name, 'b:' .. name, 'h:' .. name, 'k:' .. name)
if head[1] then return {'gone'} end
local revision = tonumber(head[2] or 0)
if ARGV[1] ~= '' and revision == 0 then return {'absent'} end
if head[9] and head[9] ~= '0' then return {'gap'} end
if (head[4] or head[5]) and head[3] and head[3] ~= name then return {'logs', head[3]} end
local base, next_position, count = tonumber(head[8] or 1), tonumber(head[7] or 1), tonumber(head[10] or 1)

local fields, place, buckets = {}, {}, {}
for at = 5, #ARGV, 3 do
    local bucket = bucket_of(ARGV[at], count)
    if not place[bucket] then
        fields[#fields + 1] = bucket
        place[bucket] = #fields
    end
    buckets[#buckets + 1] = bucket
end
local packed = redis.call('HMGET', ids, unpack(fields))
local first = next_position
local time = redis.call('TIME')
local ms = time[1] * 1000 + math.floor(time[2] / 1000)
local answer, envelopes, changed = {'ok', revision + 1, ms}, {}, {}
for i = 1, #buckets do
    local at = 2 + 3 * i
    local digest, where = ARGV[at], place[buckets[i]]
    local records = packed[where]
    local position, live
    if records then position, live = find_in(records, list, base, digest, ARGV[at + 1]) end
    if live then
        answer[3 + i] = -position
    else
        if position then
            -- Removed before: its old record makes way.
            local old = string.find(records, digest .. struct.pack('>I4', position), 1, true)
            records = string.sub(records, 1, old - 1) .. string.sub(records, old + 12)
        end
        packed[where] = (records or '') .. digest .. struct.pack('>I4', next_position)
        changed[where] = true
        envelopes[#envelopes + 1] = ARGV[at + 2]
        answer[3 + i] = next_position
        next_position = next_position + 1
    end
end

local set = {'r', revision + 1, 'u', ms}
if revision == 0 then set[5], set[6] = 'c', ms end
if #envelopes > 0 then
    local writes = {}
    for where, bucket in ipairs(fields) do
        if changed[where] then writes[#writes + 1], writes[#writes + 2] = bucket, packed[where] end
    end
    redis.call('HSET', ids, unpack(writes))
    redis.call('RPUSH', list, unpack(envelopes))
    set[#set + 1], set[#set + 2] = 'n:' .. name, next_position
    if count * LOAD < next_position then
        local log = {ids = ids, count = count, next = next_position}
        grow(log)
        set[#set + 1], set[#set + 2] = 'k:' .. name, log.count
    end
    if not head[7] then set[#set + 1], set[#set + 2] = 'l', head[3] and head[3] .. ' ' .. name or name end
    redis.call('PUBLISH', ARGV[3], name)
end
if head[4] or head[5] then
    local keys = {meta, KEYS[2], KEYS[3], KEYS[4], list, ids}
    local ends = keep_alive(keys, tonumber(head[4]), tonumber(head[5]), tonumber(head[6]), first == base or not head[6], ms)
    if ends then set[#set + 1], set[#set + 2] = 'e', ends end
end
redis.call('HSET', meta, unpack(set))
if ARGV[2] ~= '' then redis.call('ZADD', listing, 'GT', time[1] * 1000000 + time[2], ARGV[2]) end
return answer
