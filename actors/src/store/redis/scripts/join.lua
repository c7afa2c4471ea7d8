-- KEYS: the groups' member sets. ARGV: life in s, this node's key, the set of what it joined, prefix, life of a group's
-- log in s, then each group's name and local part.
-- A member's score is the time of joining in seconds, as channels_redis writes it.
local life, node, joined, prefix, group_life = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local index = prefix .. ':groups'
local time = redis.call('TIME')
local score = time[1] .. '.' .. string.format('%06d', tonumber(time[2]))
for i, key in ipairs(KEYS) do
  local name, member = ARGV[2 * i + 4], node .. ARGV[2 * i + 5]
  redis.call('ZADD', key, score, member)
  redis.call('EXPIRE', key, life)
  redis.call('SADD', joined, key .. ' ' .. member)
  -- A group that somebody is in does not expire, however silent it is.
  if redis.call('EXPIRE', prefix .. ':group:' .. name, group_life) == 1 then redis.call('ZADD', index, 0, name) end
end
redis.call('EXPIRE', joined, life)
redis.call('EXPIRE', index, group_life)
