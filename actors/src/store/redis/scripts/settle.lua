-- KEYS: the buckets. ARGV: how far in advance a bucket may be emptied at most; then for each bucket 'take' or 'back', and
-- the microseconds.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local longest = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  local shift = tonumber(ARGV[2 * i + 1])
  local tat = math.max(tonumber(redis.call('GET', key) or now) or now, now)
  if ARGV[2 * i] == 'take' then
    tat = math.min(tat + shift, now + longest)
  else
    tat = math.max(tat - shift, now)
  end
  if tat <= now then
    redis.call('DEL', key)
  else
    local life = math.max(math.ceil((tat - now) / 1000), 1000)
    redis.call('SET', key, string.format('%.0f', tat), 'PX', string.format('%.0f', life))
  end
end
