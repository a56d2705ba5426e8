-- Shared by the scripts that read checkpoints; taken in by `--include chains`. Not a script of its own. points.lua has the forms.

-- `branch NUL`, id, and the array [parent or '', the names of its parts ...] of a member of points.
local function read_point(member)
    local stop = string.find(member, '\0', 1, true)
    local last = string.find(member, '\0', stop + 1, true)
    local _, fields = cmsgpack.unpack_one(member, last + 4)
    return string.sub(member, 1, stop), string.sub(member, stop + 1, last - 1), fields
end

-- The name of the part that this one goes on from, nil where it stands alone.
local function after_of(value)
    if string.byte(value, 1) == 0 then return nil end
    local _, fields = cmsgpack.unpack_one(value, 5)
    return fields[1] ~= '' and fields[1] or nil
end
