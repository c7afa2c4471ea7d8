-- What every script about who answers in a group begins with, behind log.lua. What is noted stands with the group, and lives as it does:
-- 'changes', how many there were; 'person', what came of the last wish for one; while it is 'asked', 'asker' (JSON) and 'asked_at'.
-- The queue of those that wait is sorted by 'asked_at'.
local waiting_key = prefix .. ':waiting'

-- Epoch, changes, 1 if the assistant answers, and person ('': nobody asked).
local function attendance(name)
  local known = redis.call('HMGET', group_key(name), 'changes', 'assistant', 'person')
  local epoch = seen_group(name)
  if not epoch then return {'', 0, 1, ''} end
  return {epoch, tonumber(known[1] or 0), known[2] == '0' and 0 or 1, known[3] or ''}
end

-- Whether a group waits. A key of a wrong type is no group.
local function is_waiting(name)
  return redis.pcall('HGET', group_key(name), 'person') == 'asked'
end

-- Drops those of the oldest that wait no more, since their group is gone. Returns how many.
local function sweep_waiting()
  local gone = 0
  for _, name in ipairs(redis.call('ZRANGE', waiting_key, 0, 49)) do
    if not is_waiting(name) then gone = gone + redis.call('ZREM', waiting_key, name) end
  end
  return gone
end

-- Tells the worker, if there is one for it, of what happened; `asker` is JSON.
local function tell_worker(name, state, on, asker)
  local told = '{"told":"person","group":"' .. name .. '","state":"' .. state .. '","on":' .. tostring(on)
    .. ',"at_ms":' .. int(now) .. ',"asker":' .. (asker or 'null') .. '}'
  redis.call('XADD', prefix .. ':outbox', 'MAXLEN', '~', 1000000, '*', 't', told)
  redis.call('EXPIRE', prefix .. ':outbox', group_life)
end

-- Tells every node, whoever makes the change as well, how it is now.
local function tell_nodes(channel, name, epoch, changes, on, person)
  redis.call('PUBLISH', channel, '@* {"told":"attended","group":"' .. name .. '","epoch":"' .. epoch .. '","changes":' .. changes
    .. ',"assistant":' .. tostring(on) .. ',"person":' .. (person == '' and 'null' or '"' .. person .. '"') .. '}')
end
