import type { Sql, Transaction } from "@rialto/database";
import type { Envelope } from "../event/envelope.ts";

/**
 * Whether an ordered subscription has to wait with this event for the one before it. An event at or before the cursor
 * that is not in the inbox (its subject was taken up in the middle of its life) is late, and is not held back any more.
 */
export async function isEarly(
  sql: Sql | Transaction,
  subscription: string,
  { subject, version }: Envelope,
): Promise<boolean> {
  const [cursor] = await sql<{ version: number }[]>`
    select version from inbox_cursor where subscription = ${subscription} and subject = ${subject}`;
  return version > (cursor?.version ?? 0) + 1;
}

/** Says that an ordered subscription has seen its subjects up to these versions, each subject once. */
export async function advanceCursors(
  sql: Sql | Transaction,
  subscription: string,
  seen: readonly Pick<Envelope, "subject" | "version">[],
): Promise<void> {
  await sql`
    insert into inbox_cursor (subscription, subject, version)
    select ${subscription}, * from unnest(${seen.map(({ subject }) => subject)}::text[],
      ${seen.map(({ version }) => version)}::int[])
    on conflict (subscription, subject) do update set version = excluded.version
    where inbox_cursor.version < excluded.version`;
}
