-- ARGV: word, seconds. Returns the word that it was claimed with before, if that is another one.
local before = redis.call('GET', KEYS[1])
if before == ARGV[1] then return false end
if before then return before end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return false
