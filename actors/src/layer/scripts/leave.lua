-- Takes a member out of each group. KEYS: groups. ARGV: a member for each group.
for i, key in ipairs(KEYS) do
  redis.call('ZREM', key, ARGV[i])
end
