-- run_cancel(run): ask the producer of an open run to stop; the first time stays.
--
-- KEYS  1 meta hash, 2 runs zset, 3 turn, 4 the run's record, 5 its stream
-- ARGV  1 the producers' channel, 2 'PUBLISH' or 'SPUBLISH'
-- Returns {'ok', ms, record}, {'gone'}, {'absent'}
--include run
if redis.call('HEXISTS', meta, 'g') == 1 then return {'gone'} end
local run = load()
if not run then return {'absent'} end
if run.s == 'open' then
    redis.call('HSET', record, 'x', run.x or whole(now))
    redis.call(ARGV[2], ARGV[1], '')
end
return answer()
