-- ARGV: lease in ms, how many windows were added before, then windows. Returns {how many there are now, -1 if it has ended
-- or -2 if nothing is known of it; 1 if somebody reads it}. What the list lacks of the windows before is told by the number, and nothing is added then. May be repeated.
local known = redis.call('HMGET', KEYS[1], 'keep', 'end', 'read')
if not known[1] then return {-2, 0} end
if known[2] then return {-1, 0} end
local length = redis.call('LLEN', KEYS[2])
local there = length - tonumber(ARGV[2])
if there >= 0 and there < #ARGV - 2 then length = redis.call('RPUSH', KEYS[2], unpack(ARGV, 3 + there)) end
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now_ms() + tonumber(ARGV[1])))
keep(known[1])
return {length, known[3] and tonumber(known[3]) > now_ms() and 1 or 0}
