/** What the run through the gateway needs of the suite (apps/gateway/conformance). */
export { ConformanceService } from "./gen/connectrpc/conformance/v1/service_pb.js";
export { serveSuite } from "./serve-suite.ts";
export { host, readServerRequest, writeServerResponse } from "./server-compat.ts";
