-- KEYS: the buckets. ARGV: interval, cost and span of each, in microseconds.
-- Returns {0, units left of each (-1: without end)} or {index of the bucket that refuses, {wait in ms}}.
-- limiter/gcra.rs says the same; all numbers stay under 2^53.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local tats, left = {}, {}
local refused, longest = 0, 0
for i, key in ipairs(KEYS) do
  local interval, cost, span = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local before = tats[key] or tonumber(redis.call('GET', key) or now) or now
  if before < now then before = now end
  local taken = before + cost - now
  if taken - span > longest then refused, longest = i, taken - span end
  tats[key] = before + cost
  left[i] = interval == 0 and -1 or math.floor(math.max(span - taken, 0) / interval)
end
if refused > 0 then return {refused, {math.ceil(longest / 1000)}} end
for key, tat in pairs(tats) do
  local life = math.max(math.ceil((tat - now) / 1000), 1000)
  redis.call('SET', key, string.format('%.0f', tat), 'PX', string.format('%.0f', life))
end
return {0, left}
