import { type RecordedSpan, runSpan } from "@rialto/telemetry";
import type { Exchange } from "../exchange/exchange.ts";

/**
 * Forwards a request as the work of a span, which ends with it. What the service refused is in the response, and its
 * code in the exchange's record.
 */
export function runForwarding(span: RecordedSpan, { record }: Exchange, forward: () => Promise<void>): Promise<void> {
  return runSpan(span, async () => {
    await forward();
    if (record.code !== undefined && record.code !== "ok") span.fail(record.code);
  });
}
