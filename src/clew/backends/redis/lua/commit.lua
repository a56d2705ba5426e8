-- commit(partition, expect, once, listed, changes): apply every change, or none.
--
-- KEYS  1 meta hash, 2 docs hash, 3 once hash, 4 leases hash, 5 listing zset ('' outside: then meta again),
--       then for each log: its list of envelopes, its ids hash, its new ids
-- ARGV  1 expect ('' none, -1 present), 2 once token or '', 3 name in the listing or '', 4 channel, 5 what is remembered of the
--       token beside the result (' #' and a digest), or '', 6 '1' where a tombstone may be lifted, 7 count of logs, the logs' names,
--       then the changes, each a verb and its fields:
--         put key data when | del key when          when: 'any', 'none', or '=' and the bytes
--         add log digest key envelope               log: its number
--         rep log digest key envelope when          when: '' or the envelope it replaces
--         rem log digest key when                   when: '' or the envelope it removes
--         cut log 'p' position '' | cut log 'i' digest key      (truncate)
--         trm log position
--         ttl milliseconds kind                     milliseconds: '' to keep it; kind: 'fixed' or 'sliding'
--         cpt log ... | wrs log ...                 a checkpoint, writes: as points.lua says
--         drp log count start ...                   start: of a checkpoint, `branch NUL id NUL`
--         fen name fence | rev
-- Returns {'ok', revision, ms, outcome ...}, {'replayed', 'revision ms outcome ... #digest'}, or a refusal: {'gone'}, {'absent'},
--       {'conflict', revision}, {'document', n}, {'entry', n}, {'changed', n}, {'cursor', n} (n: which change), {'logs', names},
--       {'fenced', the newest fence, n}, {'made', when, n}, {'part', field, n}
--include ids
--include expiry
--include made
--include writes
--include points
--include sweep
local meta, docs, once, leases, listing = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local expect, token, count = ARGV[1], ARGV[2], tonumber(ARGV[7])
local names, fields = {}, {'g', 'r', 'x', 'd', 'l'}
for i = 1, count do
    local name = ARGV[7 + i]
    names[i] = name
    for _, field in ipairs({'n:', 'b:', 'h:'}) do fields[#fields + 1] = field .. name end
end
fields[#fields + 1] = 'c'
local head = redis.call('HMGET', meta, unpack(fields))
if head[1] and ARGV[6] == '' then return {'gone'} end
-- A tombstone remembers when the life before it began: the next one begins later, so that the two are told apart.
local former = head[1] and head[#fields]
if head[1] then head[#fields] = false end
local revision = tonumber(head[2] or 0)
if token ~= '' then
    local seen = redis.call('HGET', once, '=' .. token)
    if seen then
        -- Written again, so that whoever waits for the replicas waits for this result too.
        redis.call('HSET', once, '=' .. token, seen)
        return {'replayed', seen}
    end
end
if expect ~= '' then
    if expect == '-1' then
        if revision == 0 then return {'absent'} end
    elseif tonumber(expect) ~= revision then return {'conflict', revision} end
end
local function lacks_logs()
    local passed = ' ' .. table.concat(names, ' ') .. ' '
    for name in string.gmatch(head[5] or '', '%S+') do
        if not string.find(passed, ' ' .. name .. ' ', 1, true) then return true end
    end
end
if (head[3] or head[4]) and lacks_logs() then return {'logs', head[5]} end
local logs = {}
for i = 1, count do
    local log = make_log(KEYS[3 + 3 * i], KEYS[4 + 3 * i], KEYS[5 + 3 * i], head[3 + 3 * i], head[4 + 3 * i])
    log.name, log.gap = names[i], tonumber(head[5 + 3 * i] or 0)
    logs[i] = log
end

-- First every condition, then every write: a refused commit has written nothing.
local plan, at, n, ttl = {}, 8 + count, 0, nil
while ARGV[at] do
    local verb = ARGV[at]
    n = n + 1
    if verb == 'add' then
        plan[n] = {verb, logs[tonumber(ARGV[at + 1])], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]}
        at = at + 5
    elseif verb == 'put' or verb == 'del' then
        local put = verb == 'put'
        local when = put and ARGV[at + 3] or ARGV[at + 2]
        if when ~= 'any' then
            local now = redis.call('HGET', docs, ARGV[at + 1])
            if (when == 'none' and now) or (when ~= 'none' and (not now or '=' .. now ~= when)) then return {'document', n} end
        end
        plan[n] = {verb, ARGV[at + 1], put and ARGV[at + 2]}
        at = at + (put and 4 or 3)
    elseif verb == 'rep' or verb == 'rem' then
        local log = logs[tonumber(ARGV[at + 1])]
        local position, live = find(log, ARGV[at + 2], ARGV[at + 3])
        local put = verb == 'rep'
        if put and not live then return {'entry', n} end
        local when = ARGV[at + (put and 5 or 4)]
        if live and when ~= '' and redis.call('LINDEX', log.list, position - log.base) ~= when then return {'changed', n} end
        plan[n] = {verb, log, position, put and ARGV[at + 4], live}
        at = at + (put and 6 or 5)
    elseif verb == 'cut' then
        local log = logs[tonumber(ARGV[at + 1])]
        local position = tonumber(ARGV[at + 3])
        if ARGV[at + 2] == 'i' then
            position = find(log, ARGV[at + 3], ARGV[at + 4])
            if not position then return {'cursor', n} end
        end
        plan[n] = {verb, log, position}
        at = at + 5
    elseif verb == 'ttl' then
        if lacks_logs() then return {'logs', head[5]} end
        ttl = {verb, tonumber(ARGV[at + 1]), ARGV[at + 2]}
        plan[n] = ttl
        at = at + 3
    elseif verb == 'cpt' then
        local log = logs[tonumber(ARGV[at + 1])]
        plan[n] = {verb, log, at + 2}
        local why, which
        at, why, which = check_point(at + 2, head[#fields] or '0', log.ids)
        if why then return {why, which or tonumber(head[#fields] or 0), n} end
    elseif verb == 'wrs' then
        plan[n] = {verb, logs[tonumber(ARGV[at + 1])], at + 2}
        at = at + 4 + 2 * ARGV[at + 3]
    elseif verb == 'drp' then
        plan[n] = {verb, logs[tonumber(ARGV[at + 1])], at + 2}
        at = at + 3 + ARGV[at + 2]
    elseif verb == 'fen' then
        local held = redis.call('HGET', leases, ARGV[at + 1])
        local fence = held and string.match(held, '^%d+')
        if fence ~= ARGV[at + 2] then return {'fenced', fence, n} end
        plan[n] = {verb}
        at = at + 3
    elseif verb == 'rev' then
        plan[n] = {verb}
        at = at + 1
    else
        plan[n] = {verb, logs[tonumber(ARGV[at + 1])], tonumber(ARGV[at + 2])}
        at = at + 3
    end
end

local time = redis.call('TIME')
local ms = time[1] * 1000 + math.floor(time[2] / 1000)
local made = tonumber(head[#fields] or ms)
if former and made <= tonumber(former) then made = former + 1 end
-- All that a tombstone has goes with it: its end too.
if head[1] then redis.call('DEL', meta) end
local outcome, positions, touched, beside = {}, {}, {}, nil
for i = 1, n do
    local step = plan[i]
    local write = apply[step[1]]
    if write then outcome[i] = write(step, docs) else outcome[i] = step[1] == 'rev' and head[1] and 1 or 0 end
    if step[1] == 'add' and step[2].name == 'items' then positions[#positions + 1] = math.abs(outcome[i]) end
end
-- Checkpoints after the items that they refer to.
for i = 1, n do
    local verb, log, from = plan[i][1], plan[i][2], plan[i][3]
    if verb == 'cpt' or verb == 'wrs' or verb == 'drp' then
        beside = log
        if verb == 'cpt' then
            put_point(from, log.list, log.ids, positions)
            outcome[i] = made
        elseif verb == 'wrs' then outcome[i] = put_writes(from, log.new)
        else outcome[i] = drop_points(from, log.list, log.new, touched) end
    end
end
if next(touched) then sweep(touched, beside.list, beside.ids) end

revision = revision + 1
local set = {'r', revision, 'u', ms}
if revision == 1 then set[5], set[6] = 'c', made end
local names_now = head[5] or ''
for i = 1, count do
    local log = logs[i]
    if log.touched then
        set[#set + 1], set[#set + 2] = 'n:' .. log.name, log.next
        if log.wait and log.wait ~= log.stored then redis.call('SET', log.new, log.wait) end
        if log.trimmed then set[#set + 1], set[#set + 2] = 'b:' .. log.name, log.base end
        if log.gapped then set[#set + 1], set[#set + 2] = 'h:' .. log.name, log.gap end
        if not head[3 + 3 * i] then names_now = names_now == '' and log.name or names_now .. ' ' .. log.name end
        redis.call('PUBLISH', ARGV[4], log.name)
    end
end
if beside and not string.find(' ' .. names_now .. ' ', ' ' .. beside.name .. ' ', 1, true) then
    names_now = names_now == '' and beside.name or names_now .. ' ' .. beside.name
end
if names_now ~= (head[5] or '') then set[#set + 1], set[#set + 2] = 'l', names_now end
if token ~= '' then remember(meta, once, token, revision .. ' ' .. ms .. ' ' .. table.concat(outcome, ' ') .. ARGV[5]) end
local sliding, fixed = tonumber(head[3]), tonumber(head[4])
if ttl then
    sliding, fixed = nil, nil
    redis.call('HDEL', meta, 'x', 'd', 'e')
    if not ttl[2] then
        for i = 1, #KEYS do if i ~= 5 then redis.call('PERSIST', KEYS[i]) end end
    elseif ttl[3] == 'sliding' then
        sliding = ttl[2]
        set[#set + 1], set[#set + 2] = 'x', string.format('%.0f', sliding)
    else
        fixed = ms + ttl[2]
        set[#set + 1], set[#set + 2] = 'd', string.format('%.0f', fixed)
    end
end
local ends
if sliding or fixed then
    local keys = {}
    for i = 1, #KEYS do
        if i ~= 5 then keys[#keys + 1] = KEYS[i] end
    end
    ends = keep_alive(keys, sliding, fixed, nil, true, ms)
    set[#set + 1], set[#set + 2] = 'e', ends
end
redis.call('HSET', meta, unpack(set))
-- Made by this very commit, it was not there to be given an end.
if ends and revision == 1 then redis.call('PEXPIREAT', meta, ends) end
if ARGV[3] ~= '' and listing ~= meta then
    local us = time[1] * 1000000 + time[2]
    if redis.call('ZADD', listing, 'GT', us, ARGV[3]) == 1 or revision == 1 then stand(listing, ARGV[3], us) end
end
local answer = {'ok', revision, ms}
for i = 1, n do answer[3 + i] = outcome[i] end
return answer
