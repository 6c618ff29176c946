import type { Socket } from "node:net";
import type { RequestListener } from "./port.ts";

/**
 * Bounds how many requests one HTTP/1.1 connection may have at work, as HTTP/2 bounds its streams: a client may send the next before the last is
 * answered, thousands in one packet, and their answers wait for each other. A connection that has more is cut.
 */
export function limitPipelined(onRequest: RequestListener, max: number): RequestListener {
  const atWork = new WeakMap<Socket, number>();
  return (req, res) => {
    const { socket } = req;
    const others = atWork.get(socket) ?? 0;
    if (others >= max) return void socket.destroy();
    atWork.set(socket, others + 1);
    res.once("close", () => atWork.set(socket, (atWork.get(socket) ?? 1) - 1));
    onRequest(req, res);
  };
}
