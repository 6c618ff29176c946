import { createServer, Packet } from "dns2";
import { freePort } from "./free-port.ts";

/** What a resolver answers for a name. `silent` answers nothing. */
export type DnsAnswer = readonly string[] | "NXDOMAIN" | "SERVFAIL" | "silent";

/** A resolver of 127.0.0.1, over UDP and TCP, whose answers a test sets. */
export interface TestDns {
  /** With the port. */
  readonly address: string;
  /** Sets the addresses of a name, of IPv4 and IPv6. It answers NXDOMAIN for a name that was not set. */
  set(name: string, answer: DnsAnswer): void;
  /** How many questions about a name it got. */
  questions(name: string): number;
  close(): Promise<void>;
}

/** Starts a resolver. Its answers say that they are good for `ttlSeconds`; an hour, if left out. */
export async function testDns({ ttlSeconds = 3_600 }: { readonly ttlSeconds?: number } = {}): Promise<TestDns> {
  const answers = new Map<string, DnsAnswer>();
  const questions = new Map<string, number>();

  function answer(request: Packet): Packet | undefined {
    const response = Packet.createResponseFromRequest(request);
    const [question] = request.questions;
    const name = question?.name.toLowerCase() ?? "";
    questions.set(name, (questions.get(name) ?? 0) + 1);
    const set = answers.get(name) ?? "NXDOMAIN";
    if (set === "silent") return undefined;
    if (set === "NXDOMAIN") response.header.rcode = rcodes.nameError;
    else if (set === "SERVFAIL") response.header.rcode = rcodes.serverFailure;
    else
      for (const address of set) {
        const type = address.includes(":") ? Packet.TYPE.AAAA : Packet.TYPE.A;
        if (type !== question?.type) continue;
        const record = new Packet.Resource(name, type, Packet.CLASS.IN, ttlSeconds);
        record.address = address;
        response.answers.push(record);
      }
    return response;
  }

  const port = await freePort();
  const server = createServer({
    udp: true,
    tcp: true,
    handle(request, send) {
      const response = answer(request);
      if (response !== undefined) void send(response);
    },
  });
  // A client that stops in the middle of a question.
  server.on("requestError", () => undefined);
  const failed = new Promise<never>((_, reject) => server.on("error", reject));
  const at = { port, address: "127.0.0.1" };
  await Promise.race([server.listen({ udp: at, tcp: at }), failed]);
  return {
    address: `127.0.0.1:${port}`,
    set: (name, to) => void answers.set(name, to),
    questions: (name) => questions.get(name) ?? 0,
    close: () => server.close(),
  };
}

/** RFC 1035, section 4.1.1. */
const rcodes = { serverFailure: 2, nameError: 3 } as const;
