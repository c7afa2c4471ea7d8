-- KEYS: the buckets. ARGV: of each 'take' or 'back', the microseconds, and how far ahead it may stand at most.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local tats = {}
for i, key in ipairs(KEYS) do
  local shift, deepest = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local tat = math.min(math.max(tats[key] or tonumber(redis.call('GET', key) or now) or now, now), now + deepest)
  if ARGV[3 * i - 2] == 'take' then
    tats[key] = math.min(tat + shift, now + deepest)
  else
    tats[key] = math.max(tat - shift, now)
  end
end
for key, tat in pairs(tats) do
  if tat <= now then
    redis.call('DEL', key)
  else
    local life = math.max(math.ceil((tat - now) / 1000), 1000)
    redis.call('SET', key, string.format('%.0f', tat), 'PX', string.format('%.0f', life))
  end
end
