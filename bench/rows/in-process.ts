import { inProcess } from "../subjects/rpc.ts";
import { type Row, withBefore } from "./row.ts";

/** A call in one process, with the whole pipeline, beside the official router transport without one. */
export const inProcessRow: Row = {
  name: "in-process",
  comparisons: (bench) =>
    withBefore(bench, (at) => [
      {
        subject: inProcess({ name: "Rialto, in process", script: "programs/in-process.ts" }),
        baseline: inProcess({
          name: "router transport",
          script: "baselines/router-transport.js",
          missing: at.tools.baselines ? undefined : "the baselines' packages",
        }),
        atLeast: 10,
      },
    ]),
};
