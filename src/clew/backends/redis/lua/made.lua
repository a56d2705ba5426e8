-- Shared by the scripts that write a listing; taken in by `--include made`. Not a script of its own.
--
-- stand(listing, member, us): give a name its place in the order of making: now, and after every other name.
-- The key is made from the listing's, in whose slot it is.
local function made_of(listing)
    return string.sub(listing, 1, -8) .. 'made'
end

local function stand(listing, member, us)
    local made = made_of(listing)
    local last = redis.call('ZREVRANGE', made, 0, 0, 'WITHSCORES')
    if last[2] and tonumber(last[2]) >= us then us = tonumber(last[2]) + 1 end
    redis.call('ZADD', made, string.format('%.0f', us), member)
end
