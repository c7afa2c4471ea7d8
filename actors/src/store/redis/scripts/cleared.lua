-- KEYS: what a node joined. ARGV: prefix, the node, groups that it is no longer in. What it counted there goes as well.
redis.call('SREM', KEYS[1], unpack(ARGV, 3))
for i = 3, #ARGV do redis.pcall('HDEL', ARGV[1] .. ':at:' .. ARGV[i], ARGV[2]) end
