-- KEYS: channel, the tokens that were told there. ARGV: a token. Returns how many messages wait, and 1 if it was told.
return {redis.call('ZCARD', KEYS[1]), redis.call('ZSCORE', KEYS[2], ARGV[1]) and 1 or 0}
