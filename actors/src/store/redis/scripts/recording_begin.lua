-- ARGV: head, about, seconds that it is kept, lease in ms. Returns 0 if there is one already.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'head', ARGV[1], 'about', ARGV[2], 'keep', ARGV[3], 'until', string.format('%.0f', now_ms() + tonumber(ARGV[4])))
redis.call('DEL', KEYS[2])
keep(ARGV[3])
return 1
