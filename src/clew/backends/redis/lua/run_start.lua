-- run_start(run): make a run's record and its log, which begins with the event 1-0.
--
-- KEYS  1 meta hash, 2 runs zset, 3 turn, 4 the run's record, 5 its stream
-- ARGV  1 the run's name, 2 holder, 3 lease (ms), 4 '1' where it takes the turn, 5-7 milliseconds to keep the log while it is open,
--       after its end, and the record after that, 8 events to keep, 9 its data, 10 the value of its first event
-- Returns {'ok', ms, record, the oldest run where there are many}, {'gone'}, {'absent'}, {'exists'} or {'turn', the run that has it}
--include run
local MANY = 64
local head = redis.call('HMGET', meta, 'g', 'r')
if head[1] then return {'gone'} end
if not head[2] then return {'absent'} end
local name = ARGV[1]
local there = redis.call('HGET', record, 'b')
if there then
    if there == ARGV[2] then return answer() end
    return {'exists'}
end
if ARGV[4] == '1' then
    local other = redis.call('GET', turn)
    if other then return {'turn', other} end
end
local top = redis.call('ZREVRANGE', runs, 0, 0, 'WITHSCORES')
local number = math.max(us, tonumber(top[2] or 0) + 1)
redis.call('DEL', stream)
redis.call('XADD', stream, '1-0', 'e', ARGV[10])
redis.call('PEXPIRE', stream, ARGV[5])
redis.call('HSET', record, 'n', whole(number), 'b', ARGV[2], 'h', ARGV[2], 'e', 1, 'l', whole(now + ARGV[3]), 't', ARGV[4],
    'c', whole(now), 's', 'open', 'o', ARGV[5], 'k', ARGV[6], 'r', ARGV[7], 'm', ARGV[8], 'u', ARGV[9])
redis.call('ZADD', runs, whole(number), name)
if ARGV[4] == '1' then redis.call('SET', turn, name) end
keep({t = ARGV[4], s = 'open'}, name, ARGV[5] + ARGV[7])
local reply = answer()
if redis.call('ZCARD', runs) > MANY then reply[4] = redis.call('ZRANGE', runs, 0, 0)[1] end
return reply
