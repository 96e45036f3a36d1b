-- Takes out of functions' answers what only the platform says: its cookies (where SHARED) and its timings. The invoker's own
-- timings stay: it shows PROOF, which no function knows.

local function take_out_cookies(headers)
  local count = headers:getNumValues("set-cookie")
  local kept = {}
  for index = 0, count - 1 do
    local value = headers:getAtIndex("set-cookie", index)
    if not is_platform_cookie(cookie_name(value)) then kept[#kept + 1] = value end
  end
  if #kept == count then return end
  headers:remove("set-cookie")
  for _, value in ipairs(kept) do headers:add("set-cookie", value) end
end

local function take_out_timings(headers)
  local proof = headers:get("ffx-proof")
  if proof ~= nil then headers:remove("ffx-proof") end
  if PROOF ~= "" and proof == PROOF then return end
  local kept, changed = {}, false
  for index = 0, headers:getNumValues("server-timing") - 1 do
    for metric in headers:getAtIndex("server-timing", index):gmatch("[^,]+") do
      if metric:lower():match("^%s*ffx%-") then
        changed = true
      else
        kept[#kept + 1] = metric:match("^%s*(.-)%s*$")
      end
    end
  end
  if not changed then return end
  headers:remove("server-timing")
  if #kept > 0 then headers:add("server-timing", table.concat(kept, ", ")) end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  if SHARED then take_out_cookies(headers) end
  take_out_timings(headers)
end
