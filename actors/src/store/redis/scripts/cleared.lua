-- KEYS: what a node joined. ARGV: prefix, the node, life in s of a group in which nothing was ever logged, groups that the node
-- is no longer in. What it counted there goes as well.
redis.call('SREM', KEYS[1], unpack(ARGV, 4))
for i = 4, #ARGV do
  local at, head = ARGV[1] .. ':at:' .. ARGV[i], ARGV[1] .. ':head:' .. ARGV[i]
  redis.pcall('HDEL', at, ARGV[2])
  local known = redis.pcall('HMGET', head, 'seq', 'assistant', 'person')
  -- Who turned the assistant off decided something that is to last, and who asked for a person waits.
  if known[1] == '0' and known[2] ~= '0' and known[3] ~= 'asked' and redis.call('EXISTS', at) == 0 then
    if redis.call('TTL', head) > tonumber(ARGV[3]) then redis.call('EXPIRE', head, ARGV[3]) end
  end
end
