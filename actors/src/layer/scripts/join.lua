-- Adds a member to each group, or renews it. KEYS: groups. ARGV: score, expiry, then a member for each group.
for i, key in ipairs(KEYS) do
  redis.call('ZADD', key, ARGV[1], ARGV[2 + i])
  redis.call('EXPIRE', key, ARGV[2])
end
