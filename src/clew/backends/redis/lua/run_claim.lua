-- run_claim(run, holder): become the next producer of an open run without a lease; the event `takeover` fences the older ones.
--
-- KEYS  1 meta hash, 2 runs zset, 3 turn, 4 the run's record, 5 its stream
-- ARGV  1 the run's name, 2 holder, 3 lease (ms), 4 the kind of the event, 5 channel, 6 the producers' channel, 7 'PUBLISH' or 'SPUBLISH'
-- Returns {'ok', ms, record}, {'gone'}, {'absent'}, {'lost'} (no log), {'ended', state} or {'held', holder}
--include run
if redis.call('HEXISTS', meta, 'g') == 1 then return {'gone'} end
local run = load()
if not run then return {'absent'} end
if run.s ~= 'open' then return {'ended', run.s} end
if run.h == ARGV[2] then
    redis.call('HSET', record, 'l', whole(now + ARGV[3]))
elseif tonumber(run.l) > now then
    return {'held', run.h}
else
    local after = newest()
    if not after then return {'lost'} end
    local epoch = whole(run.e + 1)
    redis.call('XADD', stream, epoch .. '-0', 'e', ARGV[4] .. ' ' .. after .. ' ')
    redis.call('HSET', record, 'h', ARGV[2], 'e', epoch, 'l', whole(now + ARGV[3]))
    redis.call(ARGV[7], ARGV[5], '')
    redis.call(ARGV[7], ARGV[6], '')
end
redis.call('PEXPIRE', stream, run.o)
keep(run, ARGV[1], run.o + run.r)
return answer()
