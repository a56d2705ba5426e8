-- Shared by the scripts that answer with parts; taken in by `--include gather`, after `chains`. Not a script of its own.

-- Parts to be read, each once: want(`branch NUL`, name), then gather(parts) with those that they go on from.
local fields, branches, asked = {}, {}, {}

local function want(branch, name)
    local field = branch .. name
    if asked[field] then return end
    asked[field] = true
    fields[#fields + 1], branches[#branches + 1] = field, branch
end

-- Field and value of each, in turn.
local function gather(parts)
    local found, size, from = {}, 0, 1
    while fields[from] do
        local last = math.min(#fields, from + 999)
        local values = redis.call('HMGET', parts, unpack(fields, from, last))
        for i = 1, #values do
            local value = values[i]
            if value then
                found[size + 1], found[size + 2] = fields[from + i - 1], value
                size = size + 2
                local after = after_of(value)
                if after then want(branches[from + i - 1], after) end
            end
        end
        from = last + 1
    end
    return found
end
