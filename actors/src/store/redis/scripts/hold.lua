-- KEYS: the turn. ARGV: this node's key, how long in s. Returns whether the turn is this node's.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
