-- KEYS: the room of each lease. ARGV: the lease in ms, then the holder of each.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  -- A room whose key is of a wrong type holds up no other.
  local renewed = redis.pcall('ZADD', key, string.format('%.0f', now + lease), ARGV[i + 1])
  if type(renewed) == 'number' then
    redis.call('PEXPIRE', key, lease)
  elseif not string.find(renewed.err, 'WRONGTYPE', 1, true) then
    return renewed
  end
end
