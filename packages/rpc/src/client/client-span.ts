import type { DescMethod } from "@bufbuild/protobuf";
import { currentSpan, type RecordedSpan, rpcNames, rpcSystem } from "@rialto/telemetry";

/**
 * Starts the span of a call over the network, as part of the work that makes it, where that is recorded. A call in this
 * process has none: that of the service says as much.
 */
export function beginClientSpan(method: DescMethod): RecordedSpan | undefined {
  const caller = currentSpan();
  if (caller === undefined) return undefined;
  const name = `${method.parent.typeName}/${method.name}`;
  return caller.child(name, {
    kind: "client",
    attributes: { [rpcNames.system]: rpcSystem.connect, [rpcNames.method]: name },
  });
}
