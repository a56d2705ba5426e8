-- Shared by the scripts that need to know parts; taken in by `--include gather`, after `chains`. Not a script of its own.

-- Parts to be looked at, each once: want(`branch NUL`, name), then gather(parts) with those that they go on from.
local fields, branches, asked, done = {}, {}, {}, 0

local function want(branch, name)
    local field = branch .. name
    if asked[field] then return end
    asked[field] = true
    fields[#fields + 1], branches[#branches + 1] = field, branch
end

-- Put field and value of each that is there into `found`, in turn, if it is given.
local function gather(parts, found)
    local size = 0
    while fields[done + 1] do
        local last = math.min(#fields, done + 1000)
        local values = redis.call('HMGET', parts, unpack(fields, done + 1, last))
        for i = 1, #values do
            local value = values[i]
            if value then
                if found then
                    found[size + 1], found[size + 2] = fields[done + i], value
                    size = size + 2
                end
                local after = after_of(value)
                if after then want(branches[done + i], after) end
            end
        end
        done = last
    end
    return found
end
