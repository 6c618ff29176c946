import { randomUUID } from "node:crypto";
import { type AuditChange, recordAudit, type Transaction } from "@rialto/database";

/** Who the audit log names for a command on the machine. */
const operator = "operator";

/**
 * Writes a command of an operator into the audit log of the schema that `tx` sees, in the commit of what it does. Nothing where the schema has no audit log.
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
