-- Writes a message into a plain channel unless one with the same first bytes waits there. KEYS: channel.
-- ARGV: score, life in seconds, capacity, message, how many first bytes. Returns 0 when it is full.
local length = tonumber(ARGV[5])
local name = string.sub(ARGV[4], 1, length)
for _, waiting in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if string.sub(waiting, 1, length) == name then return 1 end
end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
