-- KEYS: the bucket. ARGV: 'take' or 'back', the microseconds, and how far in advance the bucket may be emptied at most.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local tat = tonumber(redis.call('GET', KEYS[1]) or now) or now
if tat < now then tat = now end
if ARGV[1] == 'take' then
  tat = math.min(tat + tonumber(ARGV[2]), now + tonumber(ARGV[3]))
else
  tat = math.max(tat - tonumber(ARGV[2]), now)
end
if tat <= now then
  redis.call('DEL', KEYS[1])
  return
end
local life = math.max(math.ceil((tat - now) / 1000), 1000)
redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', string.format('%.0f', life))
