-- run_interrupt(run): end an open run without a lease under the next epoch. Of many callers one wins.
--
-- KEYS  1 meta hash, 2 runs zset, 3 turn, 4 the run's record, 5 its stream
-- ARGV  1 the run's name, 2 the state, 3 data, 4 channel, 5 the producers' channel, 6 'PUBLISH' or 'SPUBLISH'
-- Returns {'ok', ms, record}, {'gone'}, {'absent'}
--include run
if redis.call('HEXISTS', meta, 'g') == 1 then return {'gone'} end
local run = load()
if not run then
    -- Evicted, or lost: nobody else would give the turn back.
    if redis.call('GET', turn) == ARGV[1] then redis.call('DEL', turn) end
    return {'absent'}
end
if run.s ~= 'open' or tonumber(run.l) > now then return answer() end
local epoch = whole(run.e + 1)
local id, after = epoch .. '-0', newest()
if after then redis.call('XADD', stream, id, 'e', ARGV[2] .. ' ' .. after .. ' ' .. ARGV[3]) end
redis.call('HSET', record, 'e', epoch)
finish(run, ARGV[1], after, ARGV[2], id, after or '0-0', ARGV[3])
redis.call(ARGV[6], ARGV[4], '')
redis.call(ARGV[6], ARGV[5], '')
return answer()
