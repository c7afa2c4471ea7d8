-- ARGV from 3: node, 1 if what has not changed is renewed too, how many groups; each group and how many sessions this node
-- has there; then each session, its row as JSON, or '' if it has none any more, and the groups that it has left.
local node, renew, groups = ARGV[3], ARGV[4] == '1', tonumber(ARGV[5])
for i = 6 + 2 * groups, #ARGV, 3 do
  present(node, ARGV[i], ARGV[i + 1] ~= '' and ARGV[i + 1] or nil, renew, ARGV[i + 2])
end
for i = 6, 4 + 2 * groups, 2 do
  local at = prefix .. ':at:' .. ARGV[i]
  if ARGV[i + 1] == '0' then
    redis.call('HDEL', at, node)
  else
    redis.call('HSET', at, node, ARGV[i + 1])
    redis.call('EXPIRE', at, life)
  end
end
