-- What several scripts need.

local function pad(text)
  local plain = text:gsub("-", "+"):gsub("_", "/")
  return plain .. ("="):rep((4 - #plain % 4) % 4)
end

local function problem(ctx, status, code, title, detail)
  return status, {
    type = "https://faasioflex.dev/problems/" .. code, title = title, status = status, detail = detail, code = code,
    request_id = ctx.var.ffx_request_id,
  }
end
