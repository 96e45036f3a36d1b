-- Looks at a caller's request id before it is taken over, and takes single cookies out of requests below SHARED (nil: nowhere).

local CLIENT_ID = "x-ffx-client-id"

local function take_request_id(headers)
  local id = headers:get(CLIENT_ID)
  if id == nil then return end
  headers:remove(CLIENT_ID)
  if #id <= 128 and id:find("^[%w._-]+$") then headers:replace("x-request-id", id) end
end

local function take_out_cookies(headers)
  local kept, changed = {}, false
  for index = 0, headers:getNumValues("cookie") - 1 do
    for pair in headers:getAtIndex("cookie", index):gmatch("[^;]+") do
      if is_platform_cookie(cookie_name(pair)) then
        changed = true
      else
        kept[#kept + 1] = pair:match("^%s*(.-)%s*$")
      end
    end
  end
  if not changed then return end
  headers:remove("cookie")
  if #kept > 0 then headers:add("cookie", table.concat(kept, "; ")) end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  take_request_id(headers)
  if SHARED and headers:get(":path"):sub(1, #SHARED) == SHARED then take_out_cookies(headers) end
end
