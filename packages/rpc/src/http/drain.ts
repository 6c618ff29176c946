import type { ServerResponse } from "node:http";
import type { RequestListener } from "./port.ts";

/** Makes each answer of a server of HTTP/1.1 the last of its connection, from a moment on. */
export interface LastAnswers {
  /** The listener, whose answers are watched. */
  watch(onRequest: RequestListener): RequestListener;
  /** From now on every answer says `connection: close`, also one that is at work and whose head is not out yet. */
  begin(): void;
}

export function lastAnswers(): LastAnswers {
  const atWork = new Set<ServerResponse>();
  let hasBegun = false;
  return {
    watch: (onRequest) => (req, res) => {
      // Node writes the header, and closes the connection once the answer is out.
      if (hasBegun) res.shouldKeepAlive = false;
      atWork.add(res);
      res.once("close", () => atWork.delete(res));
      onRequest(req, res);
    },
    begin() {
      hasBegun = true;
      for (const res of atWork) if (!res.headersSent) res.shouldKeepAlive = false;
    },
  };
}
