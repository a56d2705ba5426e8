-- drop(partition, tombstone, unless, expect): delete the partition and leave a tombstone.
--
-- KEYS  1 meta, 2 docs, 3 once, 4 leases, 5 listing ('' outside: then meta again), 6 runs zset, 7 turn, then the list, ids and
--       new ids of each log, and the record and stream of each run
-- ARGV  1 tombstone in milliseconds (0: none), 2 name in the listing, 3 channel, 4 '=' and the document that forbids it, or
--       '', 5 the place in the order of making that a tombstone is to keep, told after the drop where the listing is on another
--       server, else '', 6 the revision it must be at, or '', 7.. the logs' names, and the runs', each
--       after the command that publishes to it and a slash
-- Returns {'ok', 1 or 0}, {'gone'}, {'held'}, {'conflict', revision}, or {'logs' or 'runs', names} where the partition has one that was not passed.
--include made
local meta = KEYS[1]
local head = redis.call('HMGET', meta, 'g', 'r', 'l', 'c')
if head[1] then
    if ARGV[5] ~= '' then redis.call('HSET', meta, 'k', ARGV[5]) end
    return {'gone'}
end
if ARGV[4] ~= '' and head[2] and redis.call('HEXISTS', KEYS[2], string.sub(ARGV[4], 2)) == 1 then return {'held'} end
if ARGV[6] ~= '' and head[2] and head[2] ~= ARGV[6] then return {'conflict', head[2]} end
local passed = {}
for i = 7, #ARGV do passed[string.match(ARGV[i], '/.*') or ARGV[i]] = true end
local runs = redis.call('ZRANGE', KEYS[6], 0, -1)
for i = 1, #runs do
    if not passed['/' .. runs[i]] then return {'runs', runs} end
end
local function tell_runs()
    local prefix = string.sub(ARGV[3], 1, -5)
    for i = 7, #ARGV do
        local publish, run = string.match(ARGV[i], '^(%u+)/(.*)$')
        if run then
            redis.call(publish, prefix .. 'told:' .. run, 'gone')
            redis.call(publish, prefix .. 'stop:' .. run, '')
        end
    end
end
local place = KEYS[5] ~= meta and redis.call('ZSCORE', made_of(KEYS[5]), ARGV[2])
if not head[2] then
    if KEYS[5] ~= meta then
        redis.call('ZREM', KEYS[5], ARGV[2])
        redis.call('ZREM', made_of(KEYS[5]), ARGV[2])
    end
    -- What expired left its runs.
    for i = 6, #KEYS do redis.call('DEL', KEYS[i]) end
    redis.call('DEL', KEYS[4])
    tell_runs()
    return {'ok', 0}
end
for name in string.gmatch(head[3] or '', '%S+') do
    if not passed[name] then return {'logs', head[3]} end
end
for i = 1, #KEYS do
    if i ~= 5 then redis.call('DEL', KEYS[i]) end
end
if KEYS[5] ~= meta then
    redis.call('ZREM', KEYS[5], ARGV[2])
    redis.call('ZREM', made_of(KEYS[5]), ARGV[2])
end
if ARGV[1] ~= '0' then
    redis.call('HSET', meta, 'g', 1, 'c', head[4] or 0)
    if place then redis.call('HSET', meta, 'k', place) end
    redis.call('PEXPIRE', meta, ARGV[1])
end
redis.call('PUBLISH', ARGV[3], 'gone')
tell_runs()
return {'ok', 1}
