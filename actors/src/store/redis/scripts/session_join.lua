-- KEYS: the session. ARGV: field of the group, life in s. The field's number keeps the order of joining.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  redis.call('HSET', KEYS[1], ARGV[1], redis.call('HINCRBY', KEYS[1], 'joined', 1))
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
