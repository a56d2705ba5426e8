-- Shared by append.lua and appends.lua; taken in by `--include append_to`. Not a script of its own.
--
-- append_to(keys of a partition and a log, words, at, total, us): append to one log. Straight on for the common case; what is rare
-- is a function, made only where it is called. The words are those of append.lua; ARGV[at] has the digests of the ids, and the
-- envelopes follow it. The listing is the caller's to write, where the second result is true.
local call = redis.call

local function append_to(meta, docs, once, leases, list, ids, new, expect, listed, channel, name, how, at, total, us)
    local next_field, base_field, gap_field = 'n:items', 'b:items', 'h:items'
    if name ~= 'items' then next_field, base_field, gap_field = 'n:' .. name, 'b:' .. name, 'h:' .. name end
    local head = call('HMGET', meta, 'g', 'r', 'l', 'x', 'd', 'e', next_field, base_field, gap_field)
    if head[1] then return {'gone'} end
    local revision = tonumber(head[2] or 0)
    if expect ~= '' and revision == 0 then return {'absent'} end
    if head[9] and head[9] ~= '0' or revision == 0 and listed ~= '' then return {'gap'} end
    local expires = head[4] or head[5]
    if expires and head[3] and head[3] ~= name then return {'logs', head[3]} end
    local first, commits, look = tonumber(head[7] or 1), 1, false
    if how ~= '' then commits, look = string.match(how, '%d+'), string.find(how, '?', 1, true) end
    local ms = (us - us % 1000) / 1000
    local answer, digests = {'ok', revision + 1, ms, first}, ARGV[at]
    local fresh, first_of_key

    if look then
        --include ids
        fresh = {}
        local log = make_log(list, ids, new, first, head[8])
        log.first, log.fresh = first, fresh
        local added, kept = 0, {}
        for i = 1, total do
            local envelope, digest = ARGV[at + i], string.sub(digests, DIGEST * i - 5, DIGEST * i)
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
        if fresh then call('RPUSH', list, unpack(fresh)) else call('RPUSH', list, unpack(ARGV, at + 1, at + total)) end
        local waits = call('APPEND', new, digests)
        first_of_key = waits == #digests or head[7] == head[8]
        if waits >= 1536 then
            --include ids
            settle(make_log(list, ids, new, first + total, head[8]))
            first_of_key = true
        end
        if head[7] then call('HSET', meta, 'r', revision + commits, 'u', ms, next_field, first + total)
        else
            local names = head[3] and head[3] .. ' ' .. name or name
            call('HSET', meta, 'r', revision + commits, 'u', ms, next_field, first + total, 'l', names)
        end
        call('PUBLISH', channel, name)
    else
        call('HSET', meta, 'r', revision + commits, 'u', ms)
    end
    if not head[2] then call('HSET', meta, 'c', ms) end
    -- Nearly every append to one that expires is too soon after the last to renew its times: told here, where it costs least.
    local sliding = tonumber(head[4])
    if expires and (first_of_key or not head[6] or sliding and (ms + sliding - head[6]) * 64 >= sliding) then
        --include expiry
        local keys = {meta, docs, once, leases, list, ids, new}
        local ends = keep_alive(keys, sliding, tonumber(head[5]), tonumber(head[6]), first_of_key or not head[6], ms)
        if ends then call('HSET', meta, 'e', ends) end
    end
    return answer, true
end
