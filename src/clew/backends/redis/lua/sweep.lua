-- Taken in by commit.lua, after `points` and `chains`. Not a script of its own.

-- Delete checkpoints with their writes, and note their branches. In ARGV from `at` on: how many, and of each `branch NUL id NUL`.
local function drop_points(at, points, writes, touched)
    local count = 0
    for i = at + 1, at + ARGV[at] do
        local start = ARGV[i]
        count = count + redis.call('ZREMRANGEBYLEX', points, '[' .. start, past(start))
        redis.call('ZREMRANGEBYLEX', writes, '[' .. start, past(start))
        touched[string.sub(start, 1, (string.find(start, '\0', 1, true)))] = true
    end
    return count
end

-- Delete the parts of a branch that no checkpoint needs.
local function sweep(branch, points, parts)
    local needed, low = {}, '[' .. branch
    repeat
        local members = redis.call('ZRANGEBYLEX', points, low, past(branch), 'LIMIT', 0, 500)
        for i = 1, #members do
            local _, _, fields = read_point(members[i])
            for k = 2, #fields do
                local name = fields[k]
                while name and not needed[branch .. name] do
                    needed[branch .. name] = true
                    local value = redis.call('HGET', parts, branch .. name)
                    name = value and after_of(value)
                end
            end
        end
        if #members > 0 then low = '(' .. members[#members] end
    until #members < 500
    local names = redis.call('HKEYS', parts)
    for i = 1, #names do
        if string.sub(names[i], 1, #branch) == branch and not needed[names[i]] then redis.call('HDEL', parts, names[i]) end
    end
end
