import { requestHeader } from "@connectrpc/connect/protocol-grpc";

/** How a caller is named that does not name itself: as by the official transports, with their version. */
export const userAgent: string = requestHeader(true, undefined, undefined).get("user-agent") ?? "connect-es";
