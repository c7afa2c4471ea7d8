-- KEYS: the rooms. ARGV: the holder, the lease in ms, then the slots of each room.
-- Takes a slot in each and returns 0, or takes none and returns the index of a room that is full.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease = tonumber(ARGV[2])
for i, key in ipairs(KEYS) do
  local taken = redis.call('ZCOUNT', key, string.format('(%.0f', now), '+inf')
  local own = tonumber(redis.call('ZSCORE', key, ARGV[1]) or 0) > now
  if taken >= tonumber(ARGV[i + 2]) and not own then return i end
end
for _, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now))
  redis.call('ZADD', key, string.format('%.0f', now + lease), ARGV[1])
  redis.call('PEXPIRE', key, lease)
end
return 0
