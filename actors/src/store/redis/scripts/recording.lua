-- Of every script that writes recordings. KEYS[1]: the recording, a hash of `head`, `about`, `keep` in s, `until` in ms (the moment at which
-- its writer's lease runs out), `read` in ms (until when it
-- counts as read) once somebody has, and `end` once it has one. KEYS[2]: its windows, a list.
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local function keep(seconds)
  redis.call('EXPIRE', KEYS[1], seconds)
  redis.call('EXPIRE', KEYS[2], seconds)
end
