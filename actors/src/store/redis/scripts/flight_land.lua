-- ARGV: the flight's id, 1 if all chunks were added, its end, how long that is known in ms. Returns 0 if somebody follows
-- who needs the chunks first. Whether somebody does is not known once the lease ran out while the store was away.
local id = redis.call('HGET', KEYS[1], 'id')
if id and id ~= ARGV[1] then return 1 end
if ARGV[2] == '0' and (not id or is_followed()) then return 0 end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'end', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
