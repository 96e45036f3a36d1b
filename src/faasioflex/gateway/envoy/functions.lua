-- Two things that Envoy's own filters cannot do: look at a value before it is taken over, and take single cookies out.
-- FUNCTIONS is true in the copy that runs for routes below /f/.

local CLIENT_ID = "x-ffx-client-id"

local function take_request_id(headers)
  local id = headers:get(CLIENT_ID)
  if id == nil then return end
  headers:remove(CLIENT_ID)
  if #id <= 128 and id:find("^[%w._-]+$") then headers:replace("x-request-id", id) end
end

local function is_platform_cookie(name)
  local lower = name:lower()
  return lower:sub(1, 4) == "ffx_" or lower:sub(1, 10) == "__host-ffx" or lower:sub(1, 12) == "__secure-ffx"
end

local function take_out_cookies(headers)
  local count = headers:getNumValues("cookie")
  if count == 0 then return end
  local kept, changed = {}, false
  for index = 0, count - 1 do
    for pair in headers:getAtIndex("cookie", index):gmatch("[^;]+") do
      local name = pair:match("^%s*([^=]*)")
      if is_platform_cookie(name) then
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

local function take_out_set_cookies(headers)
  local count = headers:getNumValues("set-cookie")
  if count == 0 then return end
  local kept = {}
  for index = 0, count - 1 do
    local value = headers:getAtIndex("set-cookie", index)
    if not is_platform_cookie(value:match("^%s*([^=;]*)")) then kept[#kept + 1] = value end
  end
  if #kept == count then return end
  headers:remove("set-cookie")
  for _, value in ipairs(kept) do headers:add("set-cookie", value) end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  take_request_id(headers)
  if FUNCTIONS then take_out_cookies(headers) end
end

if FUNCTIONS then
  function envoy_on_response(handle)
    take_out_set_cookies(handle:headers())
  end
end
