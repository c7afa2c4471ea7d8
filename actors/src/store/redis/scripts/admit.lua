-- KEYS: the rooms in which a slot is asked for, then the buckets. ARGV: how many rooms, the holder of the slot, its lease in ms,
-- how long a line of refused ones may be; the slots of each room; of each bucket its cost, its span, how far ahead it may stand
-- at most, all in microseconds, and 1 if who is refused is told a time of its own.
-- Returns {0, 0, now, the TATs after it}; {minus the index of a room that is full, 0, now, {}}; or {index of the bucket that
-- refuses, the wait in ms, now, the TATs as they are}. store/limits/gcra.rs says the same; all numbers stay under 2^53.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local rooms, holder, lease = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local now_ms = math.floor(now / 1000)
for i = 1, rooms do
  local taken = redis.call('ZCOUNT', KEYS[i], string.format('(%.0f', now_ms), '+inf')
  if taken >= tonumber(ARGV[4 + i]) then
    local own = tonumber(redis.call('ZSCORE', KEYS[i], holder) or 0) > now_ms
    if not own then return {-i, 0, now, {}} end
  end
end
-- Where the terms of a bucket begin.
local function terms(i)
  return 4 + rooms + 4 * (i - 1)
end
local tats, found, after, clamped = {}, {}, {}, {}
local refused, longest = 0, 0
local function keep(key, tat, set)
  local life = math.max(math.ceil((tat - now) / 1000), 1000)
  set('SET', key, string.format('%.0f', tat), 'PX', string.format('%.0f', life))
end
for i = 1, #KEYS - rooms do
  local key, first = KEYS[rooms + i], terms(i)
  local cost, span, deepest = tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3])
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
  if ARGV[terms(refused) + 4] == '1' then
    local key, first = KEYS[rooms + refused] .. ':line', now + longest
    local last = tonumber(redis.call('GET', key) or 0) or 0
    local place = math.max(first, last + tonumber(ARGV[terms(refused) + 1]))
    if place > first + tonumber(ARGV[4]) then place = first end
    wait = place - now
    -- A server that takes no writes refuses all the same.
    keep(key, place, redis.pcall)
  end
  for key, tat in pairs(clamped) do keep(key, tat, redis.pcall) end
  return {refused, math.ceil(wait / 1000), now, found}
end
for i = 1, rooms do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', string.format('%.0f', now_ms))
  redis.call('ZADD', KEYS[i], string.format('%.0f', now_ms + lease), holder)
  redis.call('PEXPIRE', KEYS[i], lease)
end
for key, tat in pairs(tats) do keep(key, tat, redis.call) end
return {0, 0, now, after}
