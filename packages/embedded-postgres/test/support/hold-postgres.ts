import { createLogger } from "@rialto/telemetry";
import { startEmbeddedPostgres } from "../../src/index.ts";

// A process that runs an embedded Postgres on the folder given, prints its URL, and stays until it is killed.
const log = createLogger({ service: "test", level: "silent" });
const server = await startEmbeddedPostgres({ directory: process.argv[2] ?? "", log });
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
setInterval(() => undefined, 60_000);
