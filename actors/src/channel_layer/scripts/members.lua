-- The members of a group that are no Sophie nodes, with their scores, after those are gone that joined too long ago.
-- KEYS: group. ARGV: latest score to purge, how many (0: all).
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, ARGV[1])
local node = '^sophie%.' .. string.rep('[0-9a-f]', 32) .. '!'
local limit = tonumber(ARGV[2])
local found = {}
local all = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #all, 2 do
  if limit > 0 and #found >= 2 * limit then break end
  if not string.find(all[i], node) then
    found[#found + 1] = all[i]
    found[#found + 1] = all[i + 1]
  end
end
return found
