-- Of every script on flights. KEYS[1]: the flight, a hash of `id`, `end` once it has landed, and for each node that follows
-- `node:{its key}`, the moment in ms until which it counts.
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local function is_followed()
  local all, now = redis.call('HGETALL', KEYS[1]), now_ms()
  for at = 1, #all, 2 do
    if string.sub(all[at], 1, 5) == 'node:' and tonumber(all[at + 1]) > now then return true end
  end
  return false
end
local function follow(node, ms)
  redis.call('HSET', KEYS[1], 'node:' .. node, string.format('%.0f', now_ms() + tonumber(ms)))
end
