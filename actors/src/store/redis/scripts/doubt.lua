-- KEYS: the nodes with the ends of their leases. ARGV from 6: a node that has died, the length of a lease in s. If the present
-- life was kept, and the node was not heard of since it began (which is known to the second), nobody can ask it whether it knew more.
local lapsed = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[6]) or 0)
local list = lives()
local last = list[#list]
if last and last.how == 'kept' and lapsed > 0 and lapsed - tonumber(ARGV[7]) < last.since + 1 then begin_life('doubted') end
