/**
 * Takes every export and keeps nothing: a collector that costs as little as one can, and is counted with nobody.
 *
 *     node bench/programs/otlp-sink.ts PORT
 */
import { createServer } from "node:http";

const [, , port] = process.argv;

createServer((request, response) => {
  request.resume().once("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end());
}).listen(Number(port), "127.0.0.1");
