-- Adds a member to each group, or renews it. KEYS: groups. ARGV: score, expiry, then a member for each group. Returns the
-- keys that are none of groups: they hold no other up.
local bad = {}
for i, key in ipairs(KEYS) do
  local added = redis.pcall('ZADD', key, ARGV[1], ARGV[2 + i])
  if type(added) == 'number' then
    redis.call('EXPIRE', key, ARGV[2])
  elseif string.find(added.err, 'WRONGTYPE', 1, true) then
    bad[#bad + 1] = key
  else
    return added
  end
end
return bad
