import { AuditService } from "@rialto/contracts";
import {
  type Client,
  createEndpoint,
  type Endpoint,
  nextPageToken,
  pageOf,
  serve,
  type TokenVerifier,
} from "@rialto/rpc";
import { auditFilterOf, auditKeys } from "@rialto/service";
import type { Logger } from "@rialto/telemetry";
import { askAll, onBehalfOf } from "./ask-services.ts";

/** The domain whose one method the gateway answers itself, named as services are. */
export const auditDoorName = "audit";

/** One service behind, which keeps the audit entries of its own changes. */
export interface AuditKeeper {
  readonly service: string;
  readonly audit: Client<typeof AuditService>;
}

/**
 * Shows the audit logs of all services as one, newest first. All order theirs by id, so a page token is good with each. A service that is down is named
 * in the answer, which has what the others keep.
 */
export function createAuditDoor(o: {
  readonly keepers: readonly AuditKeeper[];
  readonly verifier: TokenVerifier;
  readonly log: Logger;
}): Endpoint {
  const { keepers, verifier, log } = o;
  const route = serve(AuditService, {
    async listAuditEntries(request, ctx) {
      const filter = auditFilterOf(request);
      const { limit } = pageOf(request, filter, auditKeys);
      const asked = await askAll(keepers, ({ audit }) => audit.listAuditEntries(request, onBehalfOf(ctx)));
      const all = asked.answers.flatMap(({ entries }) => entries).sort((one, other) => (one.id < other.id ? 1 : -1));
      const page = all.slice(0, limit);
      const last = page.at(-1);
      const isLast = all.length <= limit && asked.answers.every((answer) => answer.nextPageToken === "");
      return {
        entries: page,
        nextPageToken: isLast || last === undefined ? "" : nextPageToken([last.id], filter),
        unreachableServices: [...asked.unreachable],
      };
    },
  });
  // The gateway itself keeps no keys; the fingerprint that is made here is never stored.
  return createEndpoint({ service: auditDoorName, routes: [route], verifier, fingerprintKey: auditDoorName, log });
}
