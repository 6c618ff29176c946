/**
 * The conformance suite's server behind the gateway: reads on its standard input what to serve, writes to its standard
 * output where the gateway listens, and serves until it is ended. `--stock` serves by the official adapter behind it.
 */
import { parseArgs } from "node:util";
import { host, readServerRequest, serveSuite, writeServerResponse } from "@rialto/connect/conformance";
import { startSuiteGateway } from "./suite-gateway.ts";

const { values } = parseArgs({ options: { stock: { type: "boolean", default: false } } });

const request = await readServerRequest();
const service = await serveSuite({ stock: values.stock });
const gateway = await startSuiteGateway({ host, serviceUrl: `http://${host}:${service.port}`, tls: request.tls });
writeServerResponse(gateway.port, request);
