-- KEYS: turns. ARGV: this node's key. Gives up those that are this node's.
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
