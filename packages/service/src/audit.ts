import { randomUUID } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { AuditEntrySchema, AuditService } from "@rialto/contracts";
import {
  type AuditChange,
  type AuditEntry,
  type AuditFilter,
  type Database,
  listAudit,
  recordAudit,
  type Transaction,
} from "@rialto/database";
import { messageSize, page, type Route, serve } from "@rialto/rpc";
import type { ServiceName } from "./service-name.ts";

/** The sort key of audit entries in a list, newest first: the id, a UUIDv7. */
export const auditKeys = [(text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)] as const;

export const auditEntryBytes = messageSize(AuditEntrySchema);

/** Serves the audit entries of this service. */
export function auditRoute(service: ServiceName, { sql }: Pick<Database, "sql">): Route {
  return serve(AuditService, {
    async listAuditEntries(request) {
      const filter = auditFilterOf(request);
      const { messages, nextPageToken } = await page(request, {
        filter,
        sortKeys: auditKeys,
        read: ({ after, limit }) => listAudit(sql, filter, { after: after?.[0], limit }),
        keysOf: ({ id }) => [id],
        messageOf: (entry) => messageOf(service, entry),
        bytesOf: auditEntryBytes,
      });
      return { entries: messages, nextPageToken };
    },
  });
}

function messageOf(service: ServiceName, entry: AuditEntry): MessageInitShape<typeof AuditEntrySchema> {
  const { id, time, actor, method, subject, changes, requestId, clientAddress = "" } = entry;
  return {
    id,
    time: timestampFromDate(time),
    service,
    actor,
    method,
    subject,
    changes: changes.map(({ field, before, after }) => ({
      field,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    })),
    requestId,
    clientAddress,
  };
}

/** Returns the filter of a request, in the form that the page tokens of all services share. */
export function auditFilterOf(request: {
  readonly actor: string;
  readonly subject: string;
  readonly method: string;
  readonly startTime?: Timestamp | undefined;
  readonly endTime?: Timestamp | undefined;
}): AuditFilter {
  const given = (text: string) => (text === "" ? undefined : text);
  return {
    actor: given(request.actor),
    subject: given(request.subject),
    method: given(request.method),
    from: request.startTime && timestampDate(request.startTime),
    before: request.endTime && timestampDate(request.endTime),
  };
}

/** The actor in the audit log of a command on the machine. */
const operator = "operator";

/**
 * Writes an operator's command to the audit log of the schema of `tx`, in the same commit. Does nothing if the schema
 * has none.
 */
export async function auditCommand(
  tx: Transaction,
  {
    command,
    ...what
  }: { readonly command: string; readonly subject: string; readonly changes: readonly AuditChange[] },
): Promise<void> {
  const [found] = await tx<{ audits: boolean }[]>`select to_regclass('audit_entry') is not null as audits`;
  if (found?.audits === true)
    await recordAudit(tx, { ...what, actor: operator, method: command, requestId: randomUUID() });
}
