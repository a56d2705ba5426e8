-- Shared by the scripts that change a run's record; taken in by `--include run`. Not a script of its own.
-- KEYS are the same in all of them: 1 meta hash, 2 runs zset, 3 turn, 4 the run's record, 5 its stream.
local meta, runs, turn, record, stream = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- Greater than every id: a log that has its terminal event refuses all others.
local LAST = '18446744073709551615-0'
local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local now = math.floor(us / 1000)

local function whole(number) return string.format('%.0f', number) end

-- The record by field; nil where there is none.
local function load()
    local flat = redis.call('HGETALL', record)
    if #flat == 0 then return nil end
    local run = {}
    for i = 1, #flat, 2 do run[flat[i]] = flat[i + 1] end
    return run
end

local function answer() return {'ok', now, redis.call('HGETALL', record)} end

-- Keep the record for so long, and what belongs to all runs of the partition at least as long.
local function keep(run, name, ms)
    redis.call('PEXPIRE', record, whole(ms))
    if redis.call('PTTL', runs) < ms then redis.call('PEXPIRE', runs, whole(ms)) end
    if run.t == '1' and run.s == 'open' and redis.call('GET', turn) == name then redis.call('PEXPIRE', turn, whole(ms)) end
end

-- The newest id of the log, nil where the log vanished.
local function newest()
    local top = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
    return top[1] and top[1][1]
end

-- End the record and the log; `added` tells whether the log is there and has the terminal event now.
local function finish(run, name, added, state, id, after, data)
    if added then
        redis.call('XSETID', stream, LAST)
        redis.call('PEXPIRE', stream, run.k)
    end
    redis.call('HSET', record, 's', state, 'z', whole(now), 'i', id, 'a', after, 'd', data, 'l', 0)
    run.s = state
    keep(run, name, run.k + run.r)
    if redis.call('GET', turn) == name then redis.call('DEL', turn) end
end
