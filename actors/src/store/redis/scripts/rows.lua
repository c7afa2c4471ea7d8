-- ARGV from 3: node, then each session and its row as JSON, or '' if it has none any more.
for i = 4, #ARGV, 2 do
  present(ARGV[3], ARGV[i], ARGV[i + 1] ~= '' and ARGV[i + 1] or nil)
end
