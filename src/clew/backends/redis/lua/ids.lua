-- Shared by the scripts that look entries up by id; taken in by `--include ids`. Not a script of its own.
--
-- A digest is 6 bytes of an id's hash, and only hints: a hit is proved against the envelope's own id. The digests of the newest
-- positions wait in a string, new:<log>, in order and up to the last position given, so that an append adds 6 bytes an
-- entry. When WAIT of them wait they are filed in ids:<log>, a hash: each SEGMENT of positions has SHARES buckets of its own,
-- which hold packed records of 8 bytes, a digest and a place in the segment. Nothing is ever dealt out again, a record
-- costs about 10 bytes where a plain hash field costs 60 to 70, and a lookup reads one bucket of each segment.
local RECORD = 8
local DIGEST = 6
local WAIT = 256
local SEGMENT = 4096
local SHARES = 64
local HOLE = '\192'
local NONE = '\0\0\0\0\0\0'

-- The packed MessagePack form of the id in an envelope, which starts at its third byte; nil where there is none.
local function key_of(envelope)
    local kind = string.byte(envelope, 3)
    if kind == 196 then return string.sub(envelope, 3, 4 + string.byte(envelope, 4)) end
    if kind == 197 then return string.sub(envelope, 3, 5 + string.byte(envelope, 4) * 256 + string.byte(envelope, 5)) end
    return nil
end

-- A log as the functions here take it: next is the position to give next, base that of the list's first element.
local function make_log(list, ids, new, next, base)
    return {list = list, ids = ids, new = new, next = tonumber(next or 1), base = tonumber(base or 1)}
end

-- The digests that wait, and with them the position of the first.
local function waiting(log)
    if not log.wait then
        log.wait = redis.call('GET', log.new) or ''
        log.stored = log.wait
        log.waits_from = log.next - #log.wait / DIGEST
    end
    return log.wait
end

-- Whether the entry at a position has this id: true, or HOLE where an entry was removed, or nil.
-- key: the id's packed MessagePack form, as it stands in the envelope.
local function prove(log, position, key)
    local envelope
    if log.fresh and position >= log.first then envelope = log.fresh[position - log.first + 1]
    elseif position >= log.base then envelope = redis.call('LINDEX', log.list, position - log.base) end
    if envelope == HOLE then return HOLE end
    if envelope and string.sub(envelope, 3, 2 + #key) == key then return true end
    return nil
end

-- Where this id points, and whether the entry is live; nil where it is not known. Of several removed ones the newest.
local function find(log, digest, key)
    local wait, removed, from = waiting(log), nil, 1
    while true do
        local at = string.find(wait, digest, from, true)
        if not at then break end
        if (at - 1) % DIGEST == 0 then
            local position = log.waits_from + (at - 1) / DIGEST
            local proof = prove(log, position, key)
            if proof == true then return position, true end
            if proof then removed = position end
        end
        from = at + 1
    end
    if log.waits_from == 1 then return removed, false end
    local share, fields = string.byte(digest, DIGEST) % SHARES, {}
    for segment = math.floor(log.base / SEGMENT), math.floor((log.waits_from - 1) / SEGMENT) do
        fields[#fields + 1] = segment * SHARES + share
    end
    local newest
    for start = 1, #fields, 1000 do
        local buckets = redis.call('HMGET', log.ids, unpack(fields, start, math.min(start + 999, #fields)))
        for i = 1, #buckets do
            local bucket = buckets[i]
            from = 1
            while bucket do
                local at = string.find(bucket, digest, from, true)
                if not at then break end
                if (at - 1) % RECORD == 0 then
                    local position = (fields[start + i - 1] - share) / SHARES * SEGMENT + struct.unpack('>I2', bucket, at + DIGEST)
                    local proof = prove(log, position, key)
                    if proof == true then return position, true end
                    if proof then newest = position end
                end
                from = at + 1
            end
        end
    end
    return removed or newest, false
end

local function bucket_of(digest, position, place)
    return (position - place) / SEGMENT * SHARES + string.byte(digest, DIGEST) % SHARES
end

-- Take away what is known of the id at this position.
local function forget(log, digest, position)
    if position >= log.waits_from then
        local at = (position - log.waits_from) * DIGEST
        log.wait = string.sub(log.wait, 1, at) .. NONE .. string.sub(log.wait, at + DIGEST + 1)
        redis.call('SETRANGE', log.new, at, NONE)
        return
    end
    local place = position % SEGMENT
    local bucket, record = bucket_of(digest, position, place), digest .. struct.pack('>I2', place)
    local packed = redis.call('HGET', log.ids, bucket)
    local at = packed and string.find(packed, record, 1, true)
    while at and (at - 1) % RECORD ~= 0 do at = string.find(packed, record, at + 1, true) end
    if not at then return end
    packed = string.sub(packed, 1, at - 1) .. string.sub(packed, at + RECORD)
    if packed == '' then redis.call('HDEL', log.ids, bucket) else redis.call('HSET', log.ids, bucket, packed) end
end

-- File what waits.
local function settle(log)
    local wait, position = waiting(log), log.waits_from
    if wait == '' then return end
    local added, fields, different = {}, {}, 0
    local place = position % SEGMENT
    local buckets = (position - place) / SEGMENT * SHARES
    for at = 1, #wait, DIGEST do
        local digest = string.sub(wait, at, at + 5)
        if digest ~= NONE then
            local bucket = buckets + string.byte(digest, DIGEST) % SHARES
            local record = digest .. string.char(place / 256, place % 256)
            local records = added[bucket]
            if records then added[bucket] = records .. record
            else
                different = different + 1
                fields[different] = bucket
                added[bucket] = record
            end
        end
        place = place + 1
        if place == SEGMENT then place, buckets = 0, buckets + SHARES end
    end
    if different > 0 then
        local stored = redis.call('HMGET', log.ids, unpack(fields))
        local writes = {}
        for i = 1, different do
            local bucket = fields[i]
            writes[2 * i - 1] = bucket
            writes[2 * i] = (stored[i] or '') .. added[bucket]
        end
        redis.call('HSET', log.ids, unpack(writes))
    end
    redis.call('DEL', log.new)
    log.wait, log.stored, log.waits_from = '', '', log.next
end
