-- KEYS: the buckets. ARGV: of each its cost, its span, how far ahead it may stand at most, all in microseconds, and 1 if who
-- is refused is told a time of its own; then how long a line of such may be.
-- Returns {0, 0, now, the TATs after it}, or {index of the bucket that refuses, the wait in ms, now, the TATs as they are}.
-- limiter/gcra.rs says the same; all numbers stay under 2^53.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local tats, found, after, clamped = {}, {}, {}, {}
local refused, longest = 0, 0
local function keep(key, tat, set)
  local life = math.max(math.ceil((tat - now) / 1000), 1000)
  set('SET', key, string.format('%.0f', tat), 'PX', string.format('%.0f', life))
end
for i, key in ipairs(KEYS) do
  local cost, span, deepest = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
  local kept = math.max(tonumber(redis.call('GET', key) or now) or now, now)
  -- What stands further ahead was written before the clock went back.
  found[i] = math.min(kept, now + deepest)
  if kept > found[i] then clamped[key] = found[i] end
  local tat = (tats[key] or found[i]) + cost
  if tat - now - span > longest then refused, longest = i, tat - now - span end
  tats[key], after[i] = tat, tat
end
if refused > 0 then
  local wait = longest
  if ARGV[4 * refused] == '1' then
    local key, first = KEYS[refused] .. ':line', now + longest
    local last = tonumber(redis.call('GET', key) or 0) or 0
    local place = math.max(first, last + tonumber(ARGV[4 * refused - 3]))
    if place > first + tonumber(ARGV[#ARGV]) then place = first end
    wait = place - now
    -- A server that takes no writes refuses all the same.
    keep(key, place, redis.pcall)
  end
  for key, tat in pairs(clamped) do keep(key, tat, redis.pcall) end
  return {refused, math.ceil(wait / 1000), now, found}
end
for key, tat in pairs(tats) do keep(key, tat, redis.call) end
return {0, 0, now, after}
