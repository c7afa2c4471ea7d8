-- KEYS: the answer, its text, the leases, and the once-only key if there is one. ARGV: answer, lease in s, life in s,
-- group, message, node, text. Returns 0 when the message's answer was begun before, or this one has ended.
local id, lease, life = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if redis.call('HGET', KEYS[1], 'state') == 'ended' then return 0 end
if KEYS[4] and redis.call('EXISTS', KEYS[4]) == 1 then
  local by = redis.call('HGET', KEYS[4], 'answered')
  if by and by ~= id then return 0 end
  redis.call('HSET', KEYS[4], 'answered', id)
end
redis.call('HSET', KEYS[1], 'state', 'running', 'group', ARGV[4], 'message', ARGV[5], 'node', ARGV[6])
redis.call('EXPIRE', KEYS[1], life)
redis.call('SET', KEYS[2], ARGV[7], 'EX', life)
redis.call('ZADD', KEYS[3], tonumber(redis.call('TIME')[1]) + lease, id)
redis.call('EXPIRE', KEYS[3], life)
return 1
