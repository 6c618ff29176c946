import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Sql, Transaction } from "@rialto/database";
import type { Event, Handler } from "@rialto/events";

/** A handler that changes the subscriber's own database only. */
export interface TransactionHandler<D extends DescMessage> {
  inTransaction(event: Event<MessageShape<D>>, tx: Transaction): Promise<void>;
}

/** Makes a handler whose effect and inbox row are one commit, as those of a service are: it has its effect once. */
export function oneCommit<D extends DescMessage>(sql: Sql, { inTransaction }: TransactionHandler<D>): Handler<D> {
  return {
    async handle(event, { subscription, eventId }) {
      await sql.begin(async (tx) => {
        const inserted = await tx`
          insert into inbox (subscription, event_id) values (${subscription}, ${eventId})
          on conflict (subscription, event_id) do nothing`;
        if (inserted.count > 0) await inTransaction(event, tx);
      });
      return "INBOX_WRITTEN";
    },
  };
}
