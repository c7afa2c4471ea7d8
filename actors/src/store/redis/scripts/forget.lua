-- ARGV from 3: the dead node, how many rows to remove at most. Returns whether there are no more.
local node = ARGV[3]
local own = prefix .. ':sessions:' .. node
for _, session in ipairs(redis.call('SRANDMEMBER', own, ARGV[4])) do
  -- A session with a key of a wrong type holds up no other.
  local ok, groups = pcall(present, node, session, nil)
  if not ok then redis.call('SREM', own, session) end
  for group in pairs(ok and groups or {}) do
    local at = prefix .. ':at:' .. group
    local left = redis.pcall('HINCRBY', at, node, -1)
    if type(left) == 'number' and left <= 0 then redis.call('HDEL', at, node) end
  end
end
if redis.call('EXISTS', own) == 1 then return 0 end
return 1
