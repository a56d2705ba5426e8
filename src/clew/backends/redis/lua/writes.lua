-- What a commit writes once every condition holds; taken in by commit.lua. Not a script of its own.
local ONCE = 1000

local function fill_gap(log)
    while log.gap > 0 do
        local holes = {}
        for i = 1, math.min(log.gap, 1000) do holes[i] = HOLE end
        redis.call('RPUSH', log.list, unpack(holes))
        log.gap = log.gap - #holes
    end
    log.gapped = true
end

-- The digest of an envelope's own id: what the client computes for an id, from the bytes of the key inside.
local function digest_of(envelope)
    local key = key_of(envelope)
    if not key then return nil end
    key = string.sub(key, string.byte(key, 1) == 196 and 3 or 4)
    if #key == 16 and math.floor(string.byte(key, 7) / 16) == 7 then return string.sub(key, 11) end
    return (string.gsub(string.sub(redis.sha1hex(key), 1, 12), '..', function(pair) return string.char(tonumber(pair, 16)) end))
end

local function remember(meta, once, token, result)
    local turn = redis.call('HINCRBY', meta, 'o', 1)
    local slot = '#' .. turn % ONCE
    local oldest = redis.call('HGET', once, slot)
    if oldest then redis.call('HDEL', once, '=' .. oldest) end
    redis.call('HSET', once, slot, token, '=' .. token, result)
end

local apply = {}

function apply.put(step, docs)
    return 1 - redis.call('HSET', docs, step[2], step[3])
end

function apply.del(step, docs)
    return redis.call('HDEL', docs, step[2])
end

function apply.add(step)
    local log, digest, key, envelope = step[2], step[3], step[4], step[5]
    local position, live = find(log, digest, key)
    if live then return -position end
    if position then forget(log, digest, position) end
    if log.gap > 0 then fill_gap(log) end
    local mine = log.next
    log.wait = log.wait .. digest
    redis.call('RPUSH', log.list, envelope)
    log.next, log.touched = mine + 1, true
    if #log.wait >= WAIT * DIGEST then settle(log) end
    return mine
end

function apply.rep(step)
    redis.call('LSET', step[2].list, step[3] - step[2].base, step[4])
    return step[3]
end

function apply.rem(step)
    if not step[5] then return 0 end
    redis.call('LSET', step[2].list, step[3] - step[2].base, HOLE)
    return step[3]
end

-- The times are set at the commit's end, on every key of the partition.
function apply.ttl()
    return 0
end

local function drop_range(log, first, last)
    settle(log)
    local gone = 0
    for from = first, last, 500 do
        local envelopes = redis.call('LRANGE', log.list, from, math.min(from + 499, last))
        for i = 1, #envelopes do
            local position = log.base + from + i - 1
            if envelopes[i] ~= HOLE then
                gone = gone + 1
                local digest = digest_of(envelopes[i])
                if digest then forget(log, digest, position) end
            end
        end
    end
    return gone
end

-- An empty list may start anywhere, so the gap needs no holes.
local function clear(log)
    redis.call('DEL', log.list)
    log.base, log.trimmed, log.gap, log.gapped = log.next, true, 0, true
end

function apply.cut(step)
    local log = step[2]
    local length = redis.call('LLEN', log.list)
    local first = math.max(step[3] + 1 - log.base, 0)
    if first >= length then return 0 end
    local gone = drop_range(log, first, length - 1)
    log.gap, log.gapped, log.touched = log.gap + length - first, true, true
    if first == 0 then clear(log) else redis.call('LTRIM', log.list, 0, first - 1) end
    return gone
end

function apply.trm(step)
    local log = step[2]
    local length = redis.call('LLEN', log.list)
    local cut = math.min(step[3] - log.base, length)
    if cut <= 0 then return 0 end
    local gone = drop_range(log, 0, cut - 1)
    log.base, log.trimmed, log.touched = log.base + cut, true, true
    if cut == length then clear(log) else redis.call('LTRIM', log.list, cut, -1) end
    return gone
end
