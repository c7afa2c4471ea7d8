-- KEYS: the lease of this node's name, the nodes, what this node tells of itself. ARGV: this node's key, lease in s, life
-- of the nodes' set in s, what it tells. Returns {whether the lease was held, the keys of dead nodes}.
local holder = redis.call('GET', KEYS[1])
local now = tonumber(redis.call('TIME')[1])
-- Another process had this name: this one takes its place, so that one is gone.
if holder and holder ~= ARGV[1] then redis.call('ZADD', KEYS[2], 'XX', 0, holder) end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('SET', KEYS[3], ARGV[4], 'EX', ARGV[2])
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[2]), ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return {holder == ARGV[1] and 1 or 0, redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - 1)}
