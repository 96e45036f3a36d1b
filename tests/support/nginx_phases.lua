-- APISIX's phases as far as our scripts meet them, in a real nginx: which route is the longest, what runs when, which node is
-- picked for each try. It is no APISIX: openid-connect and all other plugins but traffic-split's way to the invoker are left out.

local cjson = require("cjson.safe")
local balancer = require("ngx.balancer")
local M, loaded = {}, {}

local file = assert(io.open(OBJECTS))
local objects = assert(cjson.decode(file:read("*a")))
file:close()
local edge = objects.global_rules["ffx-edge"].plugins

package.loaded["apisix.core"] = {
  request = {
    header = function(_, name)
      local value = ngx.req.get_headers(0)[name]
      return type(value) == "table" and value[1] or value
    end,
    set_header = function(_, name, value) ngx.req.set_header(name, value) end,
  },
  json = cjson,
  id = {gen_uuid_v4 = function() return "made-here" end},
}

local function run(config, phase, ctx)
  assert(config.phase == phase)
  local text = config.functions[1]
  loaded[text] = loaded[text] or assert(loadstring(text))()
  return loaded[text](config, ctx)
end

-- A variable that is set is kept; upstream_uri is nginx's own as well.
local function variables()
  local kept = {}
  return setmetatable({}, {
    __index = function(_, name)
      if kept[name] ~= nil then return kept[name] end
      local known, value = pcall(function() return ngx.var[name] end)
      return known and value or nil
    end,
    __newindex = function(_, name, value)
      if name == "upstream_uri" then ngx.var.upstream_uri = value end
      kept[name] = value
    end,
  })
end

local function matched()
  local found, longest = nil, -1
  for identifier, route in pairs(objects.routes) do
    for _, uri in ipairs(route.uris) do
      local star = uri:sub(-1) == "*"
      local fits = star and ngx.var.uri:sub(1, #uri - 1) == uri:sub(1, -2) or ngx.var.uri == uri
      local length = #uri + (star and 0 or 1000)
      if fits and length > longest then found, longest = identifier, length end
    end
  end
  return found
end

local function pick(ctx)
  local node = ctx.nodes[ctx.try]
  ctx.balancer_ip, ctx.balancer_port = node.host, node.port
  if ctx.each_try then run(ctx.each_try, "before_proxy", ctx) end
end

function M.access()
  local ctx = {var = variables(), route_id = matched(), try = 1}
  ngx.ctx.api_ctx = ctx
  ctx.var.real_request_uri = ngx.var.request_uri
  local route = objects.routes[ctx.route_id]
  local status, body = run(edge["serverless-pre-function"], "rewrite", ctx)
  if not status and route.plugins["serverless-post-function"] then
    status, body = run(route.plugins["serverless-post-function"], "rewrite", ctx)
  end
  if status then
    ngx.status = status
    ngx.print(cjson.encode(body))
    return ngx.exit(status)
  end
  if route.plugins["traffic-split"] and ctx.var.ffx_to == "invoker" then ctx.upstream_id = "ffx-invoker" end
  ctx.nodes = objects.upstreams[ctx.upstream_id or route.upstream_id].nodes
  ctx.each_try = route.service_id and objects.services[route.service_id].plugins["serverless-pre-function"]
  pick(ctx)
end

function M.balance()
  local ctx = ngx.ctx.api_ctx
  if ctx.balanced then
    ctx.try = ctx.try + 1
    if not ctx.nodes[ctx.try] then return ngx.exit(502) end
    pick(ctx)
    balancer.recreate_request()
  elseif #ctx.nodes > 1 then
    balancer.set_more_tries(#ctx.nodes)
  end
  ctx.balanced = true
  balancer.set_current_peer(ctx.balancer_ip, ctx.balancer_port)
end

function M.header_filter()
  if ngx.ctx.api_ctx then run(edge["serverless-post-function"], "header_filter", ngx.ctx.api_ctx) end
end

return M
