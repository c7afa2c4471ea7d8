-- KEYS: the index of a day's names. ARGV: the first and the last place to be shown, then the sums' names. Returns names, each
-- followed by its sums.
local rows = {}
for _, name in ipairs(redis.call('ZREVRANGE', KEYS[1], ARGV[1], ARGV[2])) do
  rows[#rows + 1] = name
  rows[#rows + 1] = redis.call('HMGET', KEYS[1] .. ':' .. name, unpack(ARGV, 3))
end
return rows
