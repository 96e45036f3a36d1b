-- Cookies of the platform's own: functions share an origin with the console and must neither see nor set them.

local function is_platform_cookie(name)
  local lower = name:lower()
  return lower:sub(1, 4) == "ffx_" or lower:sub(1, 10) == "__host-ffx" or lower:sub(1, 12) == "__secure-ffx"
end
