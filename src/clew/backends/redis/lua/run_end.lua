-- run_end(run, end): add the terminal event, which closes the log, and end the record; let go of lease and turn.
--
-- KEYS  1 meta hash, 2 runs zset, 3 turn, 4 the run's record, 5 its stream
-- ARGV  1 the run's name, 2 epoch, 3 id, 4 state, 5 data, 6 value, 7 channel, 8 the producers' channel, 9 'PUBLISH' or 'SPUBLISH'
-- Returns {'ok', ms, record}, {'gone'}, {'absent'}, {'fenced'}
--include run
if redis.call('HEXISTS', meta, 'g') == 1 then return {'gone'} end
local run = load()
if not run then return {'absent'} end
if run.s ~= 'open' then
    if run.i ~= ARGV[3] or run.s ~= ARGV[4] or run.d ~= ARGV[5] then return {'fenced'} end
    -- Written again, so that whoever waits for the replicas waits for this end too.
    redis.call('HSET', record, 's', run.s)
    return answer()
end
if run.e ~= ARGV[2] then return {'fenced'} end
local made = redis.pcall('XADD', stream, 'NOMKSTREAM', ARGV[3], 'e', ARGV[6])
if type(made) == 'table' then
    if string.find(made.err, 'equal or smaller', 1, true) then return {'fenced'} end
    return made
end
finish(run, ARGV[1], made, ARGV[4], ARGV[3], '', ARGV[5])
redis.call(ARGV[9], ARGV[7], made and #ARGV[6] <= 32768 and ARGV[3] .. ' ' .. ARGV[6] or '')
redis.call(ARGV[9], ARGV[8], '')
return answer()
