import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type ByteRequest, type ByteResponse, createStandardServices } from "@rialto/rpc";
import { isPublished, upstreamNameOf } from "./contract.ts";
import type { Behind } from "./upstream.ts";
import { takingWebText } from "./web-text.ts";

/** How long a service may take to say that it is well. */
const healthAnswerMsMax = 1_000;

/** gRPC's own services for all that is behind the gateway: it tells of what is published, and asks each service for its health. */
export function createStandard(o: {
  readonly services: readonly DescService[];
  readonly reflection: boolean;
  readonly behind: Behind;
  readonly closing: AbortSignal;
}): (request: ByteRequest) => Promise<ByteResponse> {
  const methods = new Map<string, DescMethod>();
  for (const method of o.services.flatMap((service) => service.methods)) {
    if (isPublished(method)) methods.set(method.parent.typeName, method);
  }
  const answer = createStandardServices({
    services: o.services,
    isListed: isPublished,
    reflection: o.reflection,
    closing: o.closing,
    async healthOf(name) {
      if (name === "") return "SERVING";
      const method = methods.get(name);
      if (method === undefined) return undefined;
      return (await isServing(name, method, o.behind)) ? "SERVING" : "NOT_SERVING";
    },
  });
  return takingWebText(answer);
}

async function isServing(service: string, method: DescMethod, behind: Behind): Promise<boolean> {
  try {
    const upstream = upstreamNameOf(method);
    const header = { "content-type": "application/json", "connect-timeout-ms": `${healthAnswerMsMax}` };
    const answer = await behind.upstream(upstream).fetch(
      {
        url: `http://${upstream}/grpc.health.v1.Health/Check`,
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
