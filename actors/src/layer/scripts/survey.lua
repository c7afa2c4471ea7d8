-- KEYS: channel. ARGV: the first bytes of a message. Returns how many messages wait, and 1 if one of them begins so.
for _, waiting in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if string.sub(waiting, 1, #ARGV[1]) == ARGV[1] then return {redis.call('ZCARD', KEYS[1]), 1} end
end
return {redis.call('ZCARD', KEYS[1]), 0}
