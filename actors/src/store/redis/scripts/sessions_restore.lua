-- KEYS: sessions. ARGV: life in s, then for each session the fields of its groups, one after the other with a space between.
for i, key in ipairs(KEYS) do
  for field in string.gmatch(ARGV[1 + i], '%S+') do
    if redis.call('HEXISTS', key, field) == 0 then
      redis.call('HSET', key, field, redis.call('HINCRBY', key, 'joined', 1))
    end
  end
  redis.call('EXPIRE', key, ARGV[1])
end
