-- KEYS: the groups' member sets. ARGV: this node's key, the set of what it joined, then each group's local part.
for i, key in ipairs(KEYS) do
  local member = ARGV[1] .. ARGV[i + 2]
  redis.call('ZREM', key, member)
  redis.call('SREM', ARGV[2], key .. ' ' .. member)
end
