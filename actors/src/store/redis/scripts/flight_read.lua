-- KEYS[2]: the chunks. ARGV: the flight's id, chunks seen, how many at most, this node, how long a follower counts in ms.
-- Returns {'flying', 'landed' or 'lost', the end, the chunks that follow}.
local known = redis.call('HMGET', KEYS[1], 'id', 'end')
local chunks = redis.call('LRANGE', KEYS[2], ARGV[2], tonumber(ARGV[2]) + tonumber(ARGV[3]) - 1)
if known[1] ~= ARGV[1] then return {'lost', '', chunks} end
if known[2] then return {'landed', known[2], chunks} end
follow(ARGV[4], ARGV[5])
return {'flying', '', chunks}
