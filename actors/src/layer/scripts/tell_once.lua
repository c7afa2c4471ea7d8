-- Writes a message into a plain channel unless one with the same first bytes waits there. KEYS: channel.
-- ARGV: score, expiry, latest score to purge, capacity, message, how many first bytes. Returns 0 when it is full.
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, ARGV[3])
local length = tonumber(ARGV[6])
local name = string.sub(ARGV[5], 1, length)
for _, waiting in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if string.sub(waiting, 1, length) == name then return 1 end
end
if redis.call('ZCOUNT', KEYS[1], '-inf', '+inf') >= tonumber(ARGV[4]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
