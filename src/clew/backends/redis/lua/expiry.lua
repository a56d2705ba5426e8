-- Shared by the scripts that write a partition; taken in by `--include expiry`. Not a script of its own.
--
-- keep_alive(keys, sliding, fixed, deadline, fresh, ms): renew the time to live of a partition's keys after a write.
-- A sliding deadline moves only when it would move by a 64th of its length, or a key is new (fresh): nearly every append
-- saves six commands for it. Returns the new deadline to note, or nil.
local function keep_alive(keys, sliding, fixed, deadline, fresh, ms)
    local ends
    if sliding then
        ends = ms + sliding
        if not fresh and deadline and ends - deadline < sliding / 64 then return nil end
    else
        if not fresh then return nil end
        ends = fixed
    end
    ends = string.format('%.0f', ends)
    for i = 1, #keys do redis.call('PEXPIREAT', keys[i], ends) end
    return ends
end
