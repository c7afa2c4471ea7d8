-- Writes one message into each queue that has room. KEYS: queues. ARGV: score, expiry, latest score to purge, capacity,
-- then a message for each queue. Returns how many were full.
local full = 0
for i, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, 0, ARGV[3])
  if redis.call('ZCOUNT', key, '-inf', '+inf') < tonumber(ARGV[4]) then
    redis.call('ZADD', key, ARGV[1], ARGV[4 + i])
    redis.call('EXPIRE', key, ARGV[2])
  else
    full = full + 1
  end
end
return full
