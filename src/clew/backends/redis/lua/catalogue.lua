-- catalogue(owner, cursor, limit, order): partitions in the order they were made, each with its documents. Not on a cluster:
-- there a partition's keys are on another server than the owner's.
--
-- KEYS  1 the zset of names scored by their place
-- ARGV  1 what stands before a partition's name in its keys, 2 limit, 3 the name to go on after or '', 4 '1' newest first
-- Returns {'cursor'}, or {'ok', 1 or 0 for more, microseconds, {name, revision, created, updated, time to live, documents}, ...}
-- A name that leads nowhere, since its partition expired, is taken away.
local made, prefix, limit, newest_first = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[4] == '1'
local place
if ARGV[3] ~= '' then
    place = redis.call('ZSCORE', made, ARGV[3]) or redis.call('HGET', prefix .. ARGV[3] .. '}:meta', 'k')
    if not place then return {'cursor'} end
end
local time = redis.call('TIME')
local answer, found, dead = {'ok', 0, time[1] * 1000000 + time[2]}, 0, {}
repeat
    local bound = place and '(' .. place
    local lines
    if newest_first then
        lines = redis.call('ZREVRANGEBYSCORE', made, bound or '+inf', '-inf', 'WITHSCORES', 'LIMIT', 0, limit + 1)
    else
        lines = redis.call('ZRANGEBYSCORE', made, bound or '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, limit + 1)
    end
    for i = 1, #lines, 2 do
        local keys = prefix .. lines[i] .. '}:'
        local head = redis.call('HMGET', keys .. 'meta', 'r', 'c', 'u')
        if not head[1] then dead[#dead + 1] = lines[i]
        elseif found == limit then
            answer[2] = 1
            break
        else
            found = found + 1
            local left, documents = redis.call('PTTL', keys .. 'meta'), redis.call('HGETALL', keys .. 'docs')
            answer[3 + found] = {lines[i], head[1], head[2], head[3], left, documents}
        end
    end
    place = lines[#lines]
until answer[2] == 1 or #lines < 2 * (limit + 1)
for i = 1, #dead do redis.call('ZREM', made, dead[i]) end
return answer
