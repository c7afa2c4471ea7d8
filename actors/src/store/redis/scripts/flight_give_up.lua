-- ARGV: the flight's id, 1 if it is given up though somebody follows. Returns 0 if that is why it was not.
local known = redis.call('HMGET', KEYS[1], 'id', 'end')
if known[1] ~= ARGV[1] or known[2] then return 1 end
if ARGV[2] == '0' and is_followed() then return 0 end
redis.call('DEL', KEYS[1])
return 1
