import { AuditService } from "@rialto/contracts";
import { type Client, createEndpoint, type Endpoint, pageFrom, pageOf, serve, type TokenVerifier } from "@rialto/rpc";
import { auditEntryBytes, auditFilterOf, auditKeys } from "@rialto/service";
import type { Logger } from "@rialto/telemetry";
import { askAll, onBehalfOf } from "./ask-services.ts";
import { mergePages } from "./merge-pages.ts";

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
      const pages = asked.answers.map(({ entries: rows, nextPageToken }) => ({ rows, nextPageToken }));
      const { rows, hasMore } = mergePages(pages, newestFirst);
      const page = pageFrom(rows, {
        ...{ limit, filter, hasMore, bytesOf: auditEntryBytes },
        keysOf: ({ id }) => [id],
        messageOf: (entry) => entry,
      });
      return {
        entries: page.messages,
        nextPageToken: page.nextPageToken,
        unreachableServices: [...asked.unreachable],
      };
    },
  });
  // The gateway itself keeps no keys; the fingerprint that is made here is never stored.
  return createEndpoint({ service: auditDoorName, routes: [route], verifier, fingerprintKey: auditDoorName, log });
}

function newestFirst(one: { readonly id: string }, other: { readonly id: string }): number {
  if (one.id === other.id) return 0;
  return one.id < other.id ? 1 : -1;
}
