-- KEYS: the groups' member sets. ARGV: life in s, this node's key, the set of what it joined, then each group's local part.
-- A member's score is the time of joining in seconds, as channels_redis writes it.
local life, node, joined = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local score = time[1] .. '.' .. string.format('%06d', tonumber(time[2]))
for i, key in ipairs(KEYS) do
  local member = node .. ARGV[i + 3]
  redis.call('ZADD', key, score, member)
  redis.call('EXPIRE', key, life)
  redis.call('SADD', joined, key .. ' ' .. member)
end
redis.call('EXPIRE', joined, life)
