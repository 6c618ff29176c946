/**
 * The conformance suite's server behind the gateway: is told on its standard input what to serve, says on its standard
 * output where the gateway listens, and serves until it is ended. `--stock` serves by the official adapter behind it.
 */
import { parseArgs } from "node:util";
import { host, readToldServer, serveSuite, tellServer } from "@rialto/connect/conformance";
import { startSuiteGateway } from "./suite-gateway.ts";

const { values } = parseArgs({ options: { stock: { type: "boolean", default: false } } });

const told = await readToldServer();
const service = await serveSuite({ stock: values.stock });
const gateway = await startSuiteGateway({ host, serviceUrl: `http://${host}:${service.port}`, tls: told.tls });
tellServer(gateway.port, told);
