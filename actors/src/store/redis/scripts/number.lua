-- KEYS: how often each node has heard something. ARGV: this node, the name of this hearing of it, seconds after the last one
-- at which all is forgotten. Returns which one of the equal ones this is. The first hearing of all names them, so that numbers
-- that begin anew mean others.
local first = redis.call('HGET', KEYS[1], 'first')
if not first then
  first = ARGV[2]
  redis.call('HSET', KEYS[1], 'first', first)
end
if redis.call('HGET', KEYS[1], 'last ' .. ARGV[1]) ~= ARGV[2] then
  redis.call('HSET', KEYS[1], 'last ' .. ARGV[1], ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'count ' .. ARGV[1], 1)
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return first .. ' ' .. redis.call('HGET', KEYS[1], 'count ' .. ARGV[1])
