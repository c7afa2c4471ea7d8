-- ARGV: an id for a new flight, lease in ms, this node, how long a follower counts in ms, 1 if what has landed does not
-- count. Returns {'lead', id}, {'follow', id} or {'landed', ''}.
local known = redis.call('HMGET', KEYS[1], 'id', 'end')
if known[1] and not known[2] then
  follow(ARGV[3], ARGV[4])
  return {'follow', known[1]}
end
if known[1] and ARGV[5] == '0' then return {'landed', ''} end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'id', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'lead', ARGV[1]}
