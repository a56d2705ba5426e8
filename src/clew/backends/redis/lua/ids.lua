-- Shared by the scripts that look entries up by id; put before them by scripts.py. Not a script of its own.
--
-- ids:<log> is a hash of buckets: bucket number -> packed records of 12 bytes, an 8-byte digest of the id and its position.
-- The number of buckets follows from the next position alone (linear hashing), so a record costs about 17 bytes at any
-- length where a plain hash field costs 60 to 70. A hit is proved against the envelope's own id, since digests may meet.
local LOAD = 32
local HOLE = '\192'

local function power_below(n)
    local p = 1
    while p * 2 <= n do p = p * 2 end
    return p
end

local function buckets(next_position)
    return math.floor((next_position - 1) / LOAD) + 1
end

local function bucket_of(digest, count)
    local hash = struct.unpack('>I4', digest)
    local low = power_below(count)
    local at = hash % (low * 2)
    if at >= count then at = hash % low end
    return at
end

-- find(ids, list, base, next, digest, key): position and whether it is live, or nil. key: the id's packed MessagePack form.
local function find(ids, list, base, next_position, digest, key)
    local packed = redis.call('HGET', ids, bucket_of(digest, buckets(next_position)))
    if not packed then return nil end
    local removed
    local from = 1
    while true do
        local at = string.find(packed, digest, from, true)
        if not at then return removed, false end
        if (at - 1) % 12 == 0 then
            local position = struct.unpack('>I4', packed, at + 8)
            local envelope = position >= base and redis.call('LINDEX', list, position - base)
            if envelope then
                if envelope == HOLE then removed = position
                elseif string.sub(envelope, 3, 2 + #key) == key then return position, true end
            end
        end
        from = at + 1
    end
end
