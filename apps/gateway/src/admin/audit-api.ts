import { AuditService } from "@rialto/contracts";
import { createEndpoint, type Endpoint, page, serve, type TokenVerifier } from "@rialto/rpc";
import { auditEntryBytes, auditFilterOf, auditKeys } from "@rialto/service";
import type { Logger } from "@rialto/telemetry";
import type { AuditBackend } from "./backends.ts";
import { callAll, mergePages, onBehalfOf } from "./fan-out.ts";

/** The service name of the audit API: its domain in the contract, and the audience of tokens for it. */
export const auditApiName = "audit";

/**
 * Serves the audit logs of all services as one list, newest first. All services order by id, so one page token is valid
 * with each of them. The response names the services that did not respond, and has the entries of the others.
 */
export function createAuditApi(o: {
  readonly backends: readonly AuditBackend[];
  readonly verifier: TokenVerifier;
  readonly log: Logger;
}): Endpoint {
  const { backends, verifier, log } = o;
  const route = serve(AuditService, {
    async listAuditEntries(request, ctx) {
      const filter = auditFilterOf(request);
      const unreachableServices: string[] = [];
      const { messages, nextPageToken } = await page(request, {
        filter,
        sortKeys: auditKeys,
        read: async () => {
          const responses = await callAll(backends, ({ audit }) => audit.listAuditEntries(request, onBehalfOf(ctx)));
          unreachableServices.push(...responses.unreachable);
          const pages = responses.all.map(({ entries: rows, nextPageToken }) => ({ rows, nextPageToken }));
          return mergePages(pages, newestFirst);
        },
        keysOf: ({ id }) => [id],
        messageOf: (entry) => entry,
        bytesOf: auditEntryBytes,
      });
      return { entries: messages, nextPageToken, unreachableServices };
    },
  });
  // The gateway stores no idempotency keys, so the key of their fingerprint does not matter.
  return createEndpoint({ service: auditApiName, routes: [route], verifier, fingerprintKey: auditApiName, log });
}

function newestFirst(one: { readonly id: string }, other: { readonly id: string }): number {
  if (one.id === other.id) return 0;
  return one.id < other.id ? 1 : -1;
}
