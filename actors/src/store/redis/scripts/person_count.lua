-- How many groups wait, without those of the oldest that are gone.
local queued = redis.call('ZCARD', waiting_key)
return queued - sweep_waiting()
