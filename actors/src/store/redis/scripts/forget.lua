-- ARGV from 3: the dead node, how many rows to remove at most. Returns whether there are no more.
local own = prefix .. ':sessions:' .. ARGV[3]
for _, session in ipairs(redis.call('SRANDMEMBER', own, ARGV[4])) do present(ARGV[3], session, nil) end
if redis.call('EXISTS', own) == 1 then return 0 end
return 1
