-- Taken in by commit.lua, after `points`. Not a script of its own.

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

-- Delete the parts of these branches that no checkpoint needs.
local function sweep(touched, points, parts)
    --include chains
    --include gather
    for branch in pairs(touched) do
        local low = '[' .. branch
        repeat
            local members = redis.call('ZRANGEBYLEX', points, low, past(branch), 'LIMIT', 0, 250)
            for i = 1, #members do
                local _, _, point = read_point(members[i])
                for k = 2, #point do want(branch, point[k]) end
            end
            gather(parts)
            if #members > 0 then low = '(' .. members[#members] end
        until #members < 250
    end
    local names, unneeded = redis.call('HKEYS', parts), {}
    for i = 1, #names do
        local name = names[i]
        if not asked[name] and touched[string.sub(name, 1, (string.find(name, '\0', 1, true)))] then unneeded[#unneeded + 1] = name end
    end
    for i = 1, #unneeded, 1000 do redis.call('HDEL', parts, unpack(unneeded, i, math.min(i + 999, #unneeded))) end
end
