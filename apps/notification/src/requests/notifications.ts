import { fromJson, toJson } from "@bufbuild/protobuf";
import { Notification_State, NotificationSchema, type NotificationService } from "@rialto/contracts";
import { type Database, once, recordAudit } from "@rialto/database";
import { auditOf, CallError, callErrors, type Handlers, messageSize, page } from "@rialto/rpc";
import { validate as isUuid } from "uuid";
import { errors } from "../errors.ts";
import { messageOf } from "../notification/message.ts";
import type { Notification } from "../notification/state.ts";
import { type NotificationStore, requeue } from "../notification/store.ts";

interface Parts {
  readonly database: Database;
  readonly notifications: NotificationStore;
}

const bytesOf = messageSize(NotificationSchema);

/** The RPC handlers. */
export function notifications(app: Parts): Handlers<typeof NotificationService> {
  return {
    async listNotifications(request, { caller }) {
      const asked = request.userId === "" ? undefined : request.userId;
      const own = caller.kind === "user" && caller.role === "CUSTOMER" ? caller.userId : undefined;
      if (own !== undefined && asked !== undefined && asked !== own) throw new CallError(callErrors.ACCESS_DENIED);
      const filter = {
        userId: own ?? asked,
        orderId: request.orderId === "" ? undefined : request.orderId,
        state: stateOf(request.state),
      };
      const { messages, nextPageToken } = await page(request, {
        filter,
        sortKeys: [isUuid],
        read: ({ after, limit }) => app.notifications.list(filter, { after: after?.[0], limit }),
        keysOf: ({ id }) => [id],
        messageOf,
        bytesOf,
      });
      return { notifications: messages, nextPageToken };
    },

    /** Only queues the message: the schedule "send-queued-mail" sends it. */
    async resendNotification({ id }, ctx) {
      const known = await app.notifications.byId(id);
      if (known === undefined) throw new CallError(errors.NOTIFICATION_NOT_FOUND);
      if (known.content.html === "") throw new CallError(errors.NOTIFICATION_TEXT_GONE);
      const answer = await once(app.database.sql, ctx.idempotencyKey, async (tx) => {
        const queued = await requeue(tx, id);
        if (queued === undefined) throw new CallError(errors.NOTIFICATION_NOT_SENT_YET);
        const changes = [{ field: "state", before: known.state, after: queued.state }];
        await recordAudit(tx, auditOf(ctx, { subject: `notification:${id}`, changes }));
        return toJson(NotificationSchema, messageOf(queued));
      });
      return { notification: fromJson(NotificationSchema, answer) };
    },
  };
}

/** The state to filter by; undefined for all. */
function stateOf(state: Notification_State): Notification["state"] | undefined {
  switch (state) {
    case Notification_State.QUEUED:
      return "QUEUED";
    case Notification_State.SENT:
      return "SENT";
    case Notification_State.FAILED:
      return "FAILED";
    case Notification_State.STATE_UNSPECIFIED:
      return undefined;
  }
}
