import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { type Trace, TraceService } from "@rialto/contracts";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

/** As many as a gateway keeps. */
const tracesMax = 500;

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const requestIdForm = /^[\w.:-]{1,128}$/;
const traceIdForm = /^[0-9a-f]{32}$/i;

/**
 * Returns the traces of an id, by their start: that of an order, of a request or of a trace. An order's are those of
 * its whole life. Throws a `CommandFailure` where none has that id, and the `ConnectError` of a call.
 */
export async function findTraces(
  transport: Transport,
  id: string,
  o: { readonly accessToken: string | undefined; readonly timeoutMs: number },
): Promise<readonly Trace[]> {
  if (!requestIdForm.test(id))
    throw new CommandFailure(exitCodes.usage, "write the id of an order, of a request or of a trace");
  const { listTraces, getTrace } = createClient(TraceService, transport);
  const headers = new Headers(o.accessToken === undefined ? [] : [["authorization", `Bearer ${o.accessToken}`]]);
  const options = { headers, timeoutMs: o.timeoutMs };

  async function list(filter: { readonly orderId: string } | { readonly requestId: string }) {
    const { traces } = await listTraces({ ...filter, pageSize: tracesMax }, options);
    const found: Trace[] = [];
    for (const { traceId } of traces.toReversed()) found.push(...(await get(traceId)));
    return found;
  }
  /** Returns nothing for a trace that is not kept any more. */
  async function get(traceId: string): Promise<readonly Trace[]> {
    try {
      const { trace } = await getTrace({ traceId }, options);
      return trace === undefined ? [] : [trace];
    } catch (error) {
      if (error instanceof ConnectError && error.code === Code.NotFound) return [];
      throw error;
    }
  }

  if (traceIdForm.test(id)) {
    const found = await get(id.toLowerCase());
    if (found.length > 0) return found;
  }
  // Requests are named by UUIDs too, unless their clients name them.
  const ofOrder = uuidForm.test(id) ? await list({ orderId: id }) : [];
  const found = ofOrder.length > 0 ? ofOrder : await list({ requestId: id });
  if (found.length > 0) return found;
  throw new CommandFailure(
    exitCodes.refused,
    `no order, request or trace of that id is among the last ${tracesMax} traces that the gateway keeps`,
  );
}
