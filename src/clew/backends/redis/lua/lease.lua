-- lease(verb, name, holder, fence, ttl): claim, renew or release a name, by the server's clock.
--
-- KEYS  1 meta hash, 2 leases hash (name -> 'fence until holder')
-- ARGV  1 'claim' | 'renew' | 'release', 2 name, 3 holder, 4 fence ('' for a claim), 5 milliseconds ('' for a release)
-- Returns {'gone'}, {'no'}, or {'ok', fence, until}
-- A new holder's fence is the clock's microseconds, or one more than the last: it grows even where the partition was dropped.
local DAY = 86400000
if redis.call('HGET', KEYS[1], 'g') then return {'gone'} end
local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local now = math.floor(us / 1000)
local held = redis.call('HGET', KEYS[2], ARGV[2])
local fence, ends, holder
if held then
    fence, ends, holder = string.match(held, '^(%d+) (%d+) (.*)$')
    fence, ends = tonumber(fence), tonumber(ends)
end
local live = held and ends > now
if ARGV[1] == 'claim' then
    if live and holder ~= ARGV[3] then return {'no'} end
    if not live then fence = math.max((fence or 0) + 1, us) end
elseif not live or holder ~= ARGV[3] or fence ~= tonumber(ARGV[4]) then
    return {'no'}
end
local until_ms = ARGV[1] == 'release' and 0 or now + ARGV[5]
redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f %.0f ', fence, until_ms) .. ARGV[3])
-- The hash lives as long as its partition, and where there is none, a day longer than the lease.
if redis.call('EXISTS', KEYS[1]) == 1 then
    local left = redis.call('PTTL', KEYS[1])
    if left > 0 then redis.call('PEXPIRE', KEYS[2], left) end
else
    redis.call('PEXPIRE', KEYS[2], math.max(until_ms - now, 0) + DAY)
end
return {'ok', fence, until_ms}
