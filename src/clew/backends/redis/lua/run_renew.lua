-- run_renew(run): hold the lease for longer, and keep log and record as an append does.
--
-- KEYS  1 meta hash, 2 runs zset, 3 turn, 4 the run's record, 5 its stream
-- ARGV  1 the run's name, 2 epoch, 3 lease (ms)
-- Returns {'ok', ms, record}, {'gone'}, {'absent'}, {'fenced'}
--include run
if redis.call('HEXISTS', meta, 'g') == 1 then return {'gone'} end
local run = load()
if not run then return {'absent'} end
if run.s ~= 'open' or run.e ~= ARGV[2] then return {'fenced'} end
redis.call('HSET', record, 'l', whole(now + ARGV[3]))
redis.call('PEXPIRE', stream, run.o)
keep(run, ARGV[1], run.o + run.r)
return answer()
