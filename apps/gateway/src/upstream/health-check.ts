import type { Upstream } from "@rialto/rpc";
import { bodyOf, readBody } from "../exchange/body.ts";

/** How long a service may take to respond. */
const healthAnswerMsMax = 1_000;

/**
 * Calls grpc.health.v1.Health/Check for one of an upstream's services by its gRPC name, or for all of them by "".
 * Returns false if no response arrives.
 */
export async function isServing(upstream: Upstream, service: string): Promise<boolean> {
  try {
    const header = { "content-type": "application/json", "connect-timeout-ms": `${healthAnswerMsMax}` };
    const answer = await upstream.fetch(
      {
        url: "http://upstream/grpc.health.v1.Health/Check",
        method: "POST",
        header: new Headers(header),
        body: bodyOf(Buffer.from(JSON.stringify({ service }))),
      },
      { isSafe: true },
    );
    const body = await readBody(answer.body);
    return answer.status === 200 && JSON.parse(body.toString()).status === "SERVING";
  } catch {
    return false;
  }
}
