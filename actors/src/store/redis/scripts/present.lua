-- What every script that writes rows begins with. ARGV[1..2] of each: prefix, life of a row in s. Names of keys are
-- computed: all of it lives on one server, not on a cluster.
local prefix, life = ARGV[1], ARGV[2]
local live = prefix .. ':live'

local function groups_of(json)
  return json and cjson.decode(json).groups or {}
end

-- Writes (or, without json, removes) the row of a session at a node, and what follows from it. Of groups that it was in
-- before, only if all is to be renewed.
local function present(node, session, json, renew)
  local here, own = prefix .. ':here:' .. session, prefix .. ':sessions:' .. node
  local old, new = groups_of(redis.call('HGET', here, node)), groups_of(json)
  if json then
    redis.call('HSET', here, node, json)
    redis.call('SADD', own, session)
    redis.call('ZADD', live, 0, session)
    for _, key in ipairs({here, own, live}) do redis.call('EXPIRE', key, life) end
  else
    redis.call('HDEL', here, node)
    redis.call('SREM', own, session)
    if redis.call('EXISTS', here) == 0 then redis.call('ZREM', live, session) end
  end
  local elsewhere
  for group in pairs(old) do
    if not new[group] then
      if not elsewhere then
        elsewhere = {}
        local rows = redis.call('HGETALL', here)
        for i = 1, #rows, 2 do
          if rows[i] ~= node then
            for other in pairs(groups_of(rows[i + 1])) do elsewhere[other] = true end
          end
        end
      end
      local at = prefix .. ':at:' .. group
      if redis.call('HINCRBY', at, node, -1) <= 0 then redis.call('HDEL', at, node) end
      if not elsewhere[group] then redis.call('ZREM', prefix .. ':members:' .. group, session) end
    end
  end
  for group, since in pairs(new) do
    local at, members = prefix .. ':at:' .. group, prefix .. ':members:' .. group
    if not old[group] then redis.call('HINCRBY', at, node, 1) end
    if renew or not old[group] then
      redis.call('ZADD', members, 'NX', string.format('%.0f', since), session)
      redis.call('EXPIRE', at, life)
      redis.call('EXPIRE', members, life)
    end
  end
end
