-- Takes single cookies out of functions' answers.

function envoy_on_response(handle)
  local headers = handle:headers()
  local count = headers:getNumValues("set-cookie")
  local kept = {}
  for index = 0, count - 1 do
    local value = headers:getAtIndex("set-cookie", index)
    if not is_platform_cookie(value:match("^%s*([^=;]*)")) then kept[#kept + 1] = value end
  end
  if #kept == count then return end
  headers:remove("set-cookie")
  for _, value in ipairs(kept) do headers:add("set-cookie", value) end
end
