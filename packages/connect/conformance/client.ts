/**
 * The client under test: is told on its standard input which calls to make, and says on its standard output what came
 * of each. `--stock` calls by the official transports.
 */
import { parseArgs } from "node:util";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { delimited, readDelimited } from "./delimited.ts";
import {
  type ClientCompatRequest,
  ClientCompatRequestSchema,
  type ClientCompatResponse,
  ClientCompatResponseSchema,
} from "./gen/connectrpc/conformance/v1/client_compat_pb.js";
import { invoke } from "./invoke.ts";
import { createTransportFor } from "./transport.ts";

const { values: options } = parseArgs({ options: { stock: { type: "boolean", default: false } } });

/** Most cases wait: for a delay, a deadline or a cancellation. */
const callsMax = 4;

const calls = new Set<Promise<void>>();
for await (const bytes of readDelimited(process.stdin)) {
  const call = report(fromBinary(ClientCompatRequestSchema, bytes)).finally(() => calls.delete(call));
  calls.add(call);
  if (calls.size >= callsMax) await Promise.race(calls);
}
await Promise.all(calls);
// The transports keep connections open for a next call, which does not come.
process.stdout.end(() => process.exit());

async function report(request: ClientCompatRequest): Promise<void> {
  process.stdout.write(delimited(toBinary(ClientCompatResponseSchema, await responseTo(request))));
}

async function responseTo(request: ClientCompatRequest): Promise<ClientCompatResponse> {
  const { testName } = request;
  try {
    const value = await invoke(createTransportFor(request, options), request);
    return create(ClientCompatResponseSchema, { testName, result: { case: "response", value } });
  } catch (error) {
    return create(ClientCompatResponseSchema, {
      testName,
      result: { case: "error", value: { message: error instanceof Error ? error.message : String(error) } },
    });
  }
}
