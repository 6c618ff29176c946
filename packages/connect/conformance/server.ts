/**
 * The server under test: reads on its standard input what to serve, writes to its standard output where it listens, and
 * serves until it is ended. `--stock` serves by the official adapter.
 */
import { parseArgs } from "node:util";
import { serveSuite } from "./serve-suite.ts";
import { readServerRequest, writeServerResponse } from "./server-compat.ts";

const { values } = parseArgs({ options: { stock: { type: "boolean", default: false } } });

const request = await readServerRequest();
const { port } = await serveSuite({ ...request, stock: values.stock });
writeServerResponse(port, request);
