-- run_append(run, events): add events to a run's log, all or none, and tell whoever follows.
--
-- KEYS  1 the run's stream
-- ARGV  1 channel, 2 'PUBLISH' or 'SPUBLISH', 3 milliseconds to keep the log, 4 events to keep, then of each event its id and value
-- Returns 'ok' (also where they are there already), 'fenced', or 'none' where there is no log: it is not made again without its head
-- A message has the event itself, unless it is large: then it is empty, and whoever hears it looks at the log.
local LARGE = 32768
local stream, channel, publish = KEYS[1], ARGV[1], ARGV[2]
local made = redis.pcall('XADD', stream, 'NOMKSTREAM', 'MAXLEN', '~', ARGV[4], ARGV[5], 'e', ARGV[6])
if not made then return 'none' end
if type(made) == 'table' then
    if not string.find(made.err, 'equal or smaller', 1, true) then return made end
    -- Sent before, or of a producer whose time is over: what is there tells.
    for at = 5, #ARGV, 2 do
        local there = redis.call('XRANGE', stream, ARGV[at], ARGV[at])[1]
        if not there or there[2][2] ~= ARGV[at + 1] then return 'fenced' end
    end
    -- Written again, so that whoever waits for the replicas waits for these events too.
    redis.call('PEXPIRE', stream, redis.call('PTTL', stream))
    return 'ok'
end
for at = 5, #ARGV, 2 do
    if at > 5 then redis.call('XADD', stream, 'MAXLEN', '~', ARGV[4], ARGV[at], 'e', ARGV[at + 1]) end
    redis.call(publish, channel, #ARGV[at + 1] > LARGE and '' or ARGV[at] .. ' ' .. ARGV[at + 1])
end
redis.call('PEXPIRE', stream, ARGV[3])
return 'ok'
