-- What every script that writes rows begins with. ARGV[1..2] of each: prefix, life of a row in s. Names of keys are
-- computed: all of it lives on one server, not on a cluster.
local prefix, life = ARGV[1], ARGV[2]
local live = prefix .. ':live'

-- A row that cannot be read tells of no group, and is written over.
local function groups_of(json)
  local ok, row = pcall(cjson.decode, json or '{}')
  return ok and type(row) == 'table' and type(row.groups) == 'table' and row.groups or {}
end

-- Writes (or, without json, removes) the row of a session at a node, and what follows from it. Of groups that it was in
-- before, only if all is to be renewed. `leaving` are groups, beside those of the old row, that it is no longer in. Returns
-- the groups that it was in.
local function present(node, session, json, renew, leaving)
  local here, own = prefix .. ':here:' .. session, prefix .. ':sessions:' .. node
  local old, new = groups_of(redis.call('HGET', here, node)), groups_of(json)
  local left = {}
  for group in pairs(old) do if not new[group] then left[group] = true end end
  for group in string.gmatch(leaving or '', '%S+') do if not new[group] then left[group] = true end end
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
  for group in pairs(left) do
    if not elsewhere then
      elsewhere = {}
      local rows = redis.call('HGETALL', here)
      for i = 1, #rows, 2 do
        if rows[i] ~= node then
          for other in pairs(groups_of(rows[i + 1])) do elsewhere[other] = true end
        end
      end
    end
    if not elsewhere[group] then redis.call('ZREM', prefix .. ':members:' .. group, session) end
  end
  for group, since in pairs(new) do
    if renew or not old[group] then
      local members = prefix .. ':members:' .. group
      redis.call('ZADD', members, 'NX', string.format('%.0f', since), session)
      redis.call('EXPIRE', members, life)
    end
  end
  return old
end
