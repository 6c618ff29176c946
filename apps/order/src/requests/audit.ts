import type { AuditRecord } from "@rialto/database";
import { auditChanges, auditOf, type CallContext } from "@rialto/rpc";
import type { Order } from "../order/state.ts";

/** What the audit log says of an order that a call placed or changed; undefined where its caller is no admin. */
export function orderAudit(ctx: CallContext, before: Order | undefined, after: Order): AuditRecord | undefined {
  return auditOf(ctx, {
    subject: `order:${after.id}`,
    changes: auditChanges(before, after, {
      status: ({ status }) => status,
      pending_action: ({ pendingAction }) => pendingAction,
      attention: ({ attention }) => attention?.reason,
    }),
  });
}
