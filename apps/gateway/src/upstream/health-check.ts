import type { Upstream } from "@rialto/rpc";

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
        body: once(Buffer.from(JSON.stringify({ service }))),
      },
      { isSafe: true },
    );
    const chunks: Uint8Array[] = [];
    for await (const chunk of answer.body) chunks.push(chunk);
    return answer.status === 200 && JSON.parse(Buffer.concat(chunks).toString()).status === "SERVING";
  } catch {
    return false;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
