import { startEmbeddedPostgres } from "../../src/index.ts";
import { quietLog } from "./quiet-log.ts";

// A process that runs an embedded Postgres on the folder it is given, says so, and stays until it is killed.
const server = await startEmbeddedPostgres({ directory: process.argv[2] ?? "", log: quietLog });
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
setInterval(() => undefined, 60_000);
