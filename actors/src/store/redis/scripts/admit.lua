-- KEYS: the buckets. ARGV: cost and span of each, in microseconds.
-- Returns {0, 0, now, the TATs after it}, or {index of the bucket that refuses, its wait in ms, now, the TATs as they are}.
-- limiter/gcra.rs says the same; all numbers stay under 2^53.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local tats, found, after = {}, {}, {}
local refused, longest = 0, 0
for i, key in ipairs(KEYS) do
  local cost, span = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  found[i] = math.max(tonumber(redis.call('GET', key) or now) or now, now)
  local tat = (tats[key] or found[i]) + cost
  if tat - now - span > longest then refused, longest = i, tat - now - span end
  tats[key], after[i] = tat, tat
end
if refused > 0 then return {refused, math.ceil(longest / 1000), now, found} end
for key, tat in pairs(tats) do
  local life = math.max(math.ceil((tat - now) / 1000), 1000)
  redis.call('SET', key, string.format('%.0f', tat), 'PX', string.format('%.0f', life))
end
return {0, 0, now, after}
