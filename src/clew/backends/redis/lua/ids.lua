-- Shared by the scripts that look entries up by id; taken in by `--include ids`. Not a script of its own.
--
-- ids:<log> is a hash of buckets: bucket number -> packed records of 10 bytes, 6 of the id's digest and its position.
-- It grows by linear hashing, a bucket at a time, so that a record costs about 17 bytes at any length where a plain hash
-- field costs 60 to 70. Buckets are small, since Lua copies each one it touches. A hit is proved against the envelope's own id, since digests may meet.
local LOAD = 12
local RECORD = 10
local HOLE = '\192'

local function power_below(n)
    local p = 1
    while p * 2 <= n do p = p * 2 end
    return p
end

local function bucket_of(digest, count)
    if count == 1 then return 0 end
    local hash = struct.unpack('>I4', digest)
    local low = power_below(count)
    local at = hash % (low * 2)
    if at >= count then at = hash % low end
    return at
end

-- The packed MessagePack form of the id in an envelope, which starts at its third byte; nil where there is none.
local function key_of(envelope)
    local kind = string.byte(envelope, 3)
    if kind == 196 then return string.sub(envelope, 3, 4 + string.byte(envelope, 4)) end
    if kind == 197 then return string.sub(envelope, 3, 5 + string.byte(envelope, 4) * 256 + string.byte(envelope, 5)) end
    return nil
end

-- Where the bucket's record of this id points, and whether the entry is live; nil where there is none.
-- key: the id's packed MessagePack form, as it stands in the envelope. fresh: envelopes still to be pushed, from position first.
local function find_in(packed, list, base, digest, key, first, fresh)
    local removed
    local from = 1
    while true do
        local at = string.find(packed, digest, from, true)
        if not at then return removed, false end
        if (at - 1) % RECORD == 0 then
            local position = struct.unpack('>I4', packed, at + 6)
            local envelope
            if first and position >= first then envelope = fresh[position - first + 1]
            elseif position >= base then envelope = redis.call('LINDEX', list, position - base) end
            if envelope == HOLE then removed = position
            elseif envelope and string.sub(envelope, 3, 2 + #key) == key then return position, true end
        end
        from = at + 1
    end
end

-- The bucket without the record of this id at this position.
local function without(packed, digest, position)
    local record = digest .. struct.pack('>I4', position)
    local at = string.find(packed, record, 1, true)
    while at and (at - 1) % RECORD ~= 0 do at = string.find(packed, record, at + 1, true) end
    if not at then return packed end
    return string.sub(packed, 1, at - 1) .. string.sub(packed, at + RECORD)
end

local function find(log, digest, key)
    local packed = redis.call('HGET', log.ids, bucket_of(digest, log.count))
    if not packed then return nil, false end
    return find_in(packed, log.list, log.base, digest, key)
end

-- Deal one bucket's records out again, over one bucket more.
local function split(log)
    local source = log.count - power_below(log.count)
    local packed = redis.call('HGET', log.ids, source)
    log.count = log.count + 1
    if not packed then return end
    local stay, move = {}, {}
    for at = 1, #packed, RECORD do
        local record = string.sub(packed, at, at + RECORD - 1)
        local target = bucket_of(record, log.count) == source and stay or move
        target[#target + 1] = record
    end
    if #move == 0 then return end
    redis.call('HSET', log.ids, log.count - 1, table.concat(move))
    if #stay == 0 then redis.call('HDEL', log.ids, source) else redis.call('HSET', log.ids, source, table.concat(stay)) end
end

local function grow(log)
    while log.count * LOAD < log.next do split(log) end
end
