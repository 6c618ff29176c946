/**
 * The server under test: is told on its standard input what to serve, says on its standard output where it listens, and
 * serves until it is ended. `--stock` serves by the official adapter.
 */
import { parseArgs } from "node:util";
import { serveSuite } from "./serve-suite.ts";
import { readToldServer, tellServer } from "./told-server.ts";

const { values } = parseArgs({ options: { stock: { type: "boolean", default: false } } });

const told = await readToldServer();
const { port } = await serveSuite({ ...told, stock: values.stock });
tellServer(port, told);
