-- KEYS: the room of each lease. ARGV: the lease in ms, then the holder of each.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  redis.call('ZADD', key, string.format('%.0f', now + lease), ARGV[i + 1])
  redis.call('PEXPIRE', key, lease)
end
