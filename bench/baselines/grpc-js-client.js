// A grpc-js client in a process of its own, for pairs: calls the server at BENCH_UPSTREAM.

import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { serveRuns } from "../programs/driver.ts";
import { orderId } from "../programs/order-answer.ts";
import { port } from "./order.js";
import { loaderOptions, protoFile } from "./proto-files.js";

const { OrderService } = loadPackageDefinition(loadSync(protoFile, loaderOptions)).rialto.order.v1;
const client = new OrderService(new URL(process.env.BENCH_UPSTREAM).host, credentials.createInsecure());

serveRuns(
  port,
  () =>
    new Promise((resolve, reject) => {
      client.getOrder({ id: orderId }, { deadline: Date.now() + 5_000 }, (error, answer) =>
        error ? reject(error) : resolve(answer),
      );
    }),
);
