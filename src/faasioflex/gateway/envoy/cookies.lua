-- Cookies of the platform's own: functions share an origin with the console and must neither see nor set them.

-- A cookie may have no name: browsers keep "=ffx_x=1" and send it back as "ffx_x=1". So what comes first counts as the name.
local function cookie_name(text) return text:match("^[%s=;]*([^=;]*)") end

local function is_platform_cookie(name)
  local lower = name:lower()
  return lower:sub(1, 4) == "ffx_" or lower:sub(1, 10) == "__host-ffx" or lower:sub(1, 12) == "__secure-ffx"
end
