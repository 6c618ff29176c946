import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { create, type DescMessage, type DescMethod, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { ConnectError, type Transport } from "@connectrpc/connect";
import type * as GrpcWeb from "grpc-web";
import type { Browser, Page } from "playwright-core";

/** The call that the page makes, and its outcome: plain values, which can be passed to the page and back. */
interface Call {
  readonly url: string;
  readonly isStream: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly message: readonly number[];
}
interface Outcome {
  readonly messages: readonly (readonly number[])[];
  readonly error: { readonly code: number; readonly message: string } | undefined;
}

/**
 * Calls with Google's gRPC-Web client, inside a page of the gateway's origin, in text mode, its default. A stream is
 * returned when it has ended. Throws where the browser and the gateway used any other format.
 */
export function createBrowserTransport(browser: Browser, baseUrl: string): Transport {
  const page = openPage(browser, baseUrl);
  async function* answers<I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { readonly input: I; readonly output: O },
    init: ConstructorParameters<typeof Headers>[0],
    message: MessageShape<I>,
  ): AsyncGenerator<MessageShape<O>, void> {
    const { messages, error } = await callFrom(await page, {
      url: `${baseUrl}/${method.parent.typeName}/${method.name}`,
      isStream: method.methodKind === "server_streaming",
      headers: Object.fromEntries(new Headers(init)),
      message: [...toBinary(method.input, message)],
    });
    for (const bytes of messages) yield fromBinary(method.output, Uint8Array.from(bytes));
    if (error !== undefined) throw new ConnectError(error.message, error.code);
  }
  const none = { header: new Headers(), trailer: new Headers() };
  return {
    async unary(method, _signal, _timeoutMs, headers, input) {
      for await (const message of answers(method, headers, create(method.input, input)))
        return { ...none, stream: false, service: method.parent, method, message };
      throw new Error("the call had no answer and no error");
    },
    async stream(method, _signal, _timeoutMs, headers, input) {
      for await (const one of input) {
        const message = answers(method, headers, create(method.input, one));
        return { ...none, stream: true, service: method.parent, method, message };
      }
      throw new Error("the call has no message");
    },
  };
}

/** An empty page of the gateway's origin, with the client in it. */
async function openPage(browser: Browser, baseUrl: string): Promise<Page> {
  const page = await browser.newPage();
  await page.route(`${baseUrl}/shop`, (route) => route.fulfill({ contentType: "text/html", body: "" }));
  await page.goto(`${baseUrl}/shop`);
  const source = await readFile(createRequire(import.meta.url).resolve("grpc-web"), "utf8");
  await page.evaluate(`globalThis.grpcWeb = ((exports) => { ${source}\n return exports; })({})`);
  return page;
}

async function callFrom(page: Page, call: Call): Promise<Outcome> {
  const [response, outcome] = await Promise.all([page.waitForResponse(call.url), page.evaluate(inPage, call)]);
  const types = [await response.request().headerValue("content-type"), await response.headerValue("content-type")];
  if (types.some((type) => type?.startsWith("application/grpc-web-text") !== true)) throw new Error(`spoken: ${types}`);
  return outcome;
}

/** Runs in the page: nothing from outside of it is there. */
function inPage({ url, isStream, headers, message }: Call): Promise<Outcome> {
  // openPage has put it there.
  const { GrpcWebClientBase, MethodDescriptor } = Reflect.get(globalThis, "grpcWeb") as typeof GrpcWeb;
  const method = new MethodDescriptor<readonly number[], readonly number[]>(
    new URL(url).pathname,
    isStream ? "server_streaming" : "unary",
    Array,
    Array,
    (numbers: readonly number[]) => Uint8Array.from(numbers),
    (bytes: Uint8Array) => [...bytes],
  );
  const client = new GrpcWebClientBase({ format: "text" });
  return new Promise((resolve) => {
    const messages: (readonly number[])[] = [];
    const failed = ({ code, message }: GrpcWeb.RpcError) => resolve({ messages, error: { code, message } });
    if (isStream) {
      const stream = client.serverStreaming(url, message, headers, method);
      stream.on("data", (one) => void messages.push(one));
      stream.on("error", failed);
      stream.on("end", () => resolve({ messages, error: undefined }));
    } else {
      client
        .unaryCall(url, message, headers, method)
        .then((one) => resolve({ messages: [one], error: undefined }), failed);
    }
  });
}
