import type { Database } from "@rialto/database";

/**
 * Tells whether gateways name people to services by tokens of their own. Until then they pass access tokens on, because services of version 0.1.0 may
 * run that take nothing else.
 *
 * It is the user service that says so, and not each service for itself: one that was taken over would only have to say that it is old to be sent access
 * tokens. The user service gains nothing by that, as it makes them. The time stands in its database, so all its replicas say the same, and no
 * restart brings the old ways back.
 */
export async function openGatewayTokens({ sql }: Pick<Database, "sql">): Promise<() => boolean> {
  const [row] = await sql<{ waitMs: number }[]>`
    select extract(epoch from start_time - now())::float8 * 1000 as "waitMs" from gateway_token`;
  if (row === undefined) throw new Error("the table gateway_token has no row");
  const start = performance.now() + row.waitMs;
  return () => performance.now() >= start;
}
