-- Before each try of a call that goes straight to an instance: its revision, and the proof where this try goes to the invoker,
-- which takes over when no instance can be reached. Instances never see the proof.
-- Constants: INVOKERS, PROOF.

return function(_, ctx)
  local core = require("apisix.core")
  local var = ctx.var
  var.ffx_sent = "1"
  if var.ffx_to ~= "instance" then return end
  if not var.ffx_revision then var.ffx_revision = tostring(ctx.upstream_id or ""):match("%.(%d+)$") end
  core.request.set_header(ctx, "X-Ffx-Revision", var.ffx_revision)
  local to_invoker = INVOKERS[tostring(ctx.balancer_ip) .. ":" .. tostring(ctx.balancer_port)]
  core.request.set_header(ctx, "X-Ffx-Proof", to_invoker and PROOF ~= "" and PROOF or nil)
  -- a label of the metrics, of the try that answered; nobody else is a consumer here
  ctx.consumer_name = (var.ffx_revision or "") .. (to_invoker and "-invoker" or "")
end
