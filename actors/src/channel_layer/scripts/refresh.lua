-- KEYS: channel. ARGV: life in seconds, then for each message: as it was, as it shall be, its new score. What was read
-- meanwhile does not come back.
for at = 2, #ARGV, 3 do
  if redis.call('ZREM', KEYS[1], ARGV[at]) == 1 then redis.call('ZADD', KEYS[1], ARGV[at + 2], ARGV[at + 1]) end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
