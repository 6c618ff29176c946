/**
 * HTTP alone: a port of `packages/http` that receives a body and answers with the bytes of an order. What a call costs
 * beside it is the call's own.
 */
import type * as Http from "../../packages/http/src/index.ts";
import { onStop, ours, port } from "./root.ts";

const { listenHttp } = await ours<typeof Http>("packages/http/src/index.ts");
const answer = Buffer.alloc(187, "a");
const head = { "content-type": "application/json", "content-length": answer.length };

const listener = await listenHttp({
  port,
  host: "127.0.0.1",
  streamsMax: 1_000,
  onRequest: (request, response) => request.resume().once("end", () => response.writeHead(200, head).end(answer)),
});
onStop(listener.close);
