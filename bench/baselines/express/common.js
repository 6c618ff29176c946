// What the six processes have in common, as the tutorials have it.

import { Queue, Worker } from "bullmq";
import express from "express";
import { Redis } from "ioredis";
import { bodyBytesMax, customerOf } from "../shop/requests.js";
import { createPool } from "./database.js";

export const urls = JSON.parse(process.env.BENCH_SERVICE_URLS ?? "{}");
export const pool = createPool();

const redis = { host: "127.0.0.1", port: Number(process.env.BENCH_REDIS_PORT) };

export function createApp() {
  const app = express();
  app.disable("x-powered-by");
  app.use(accessLog);
  return app;
}

export function createJsonApp() {
  const app = createApp();
  app.use(express.json({ limit: bodyBytesMax }));
  return app;
}

export function listen(app) {
  app.listen(Number(process.argv[2]), "127.0.0.1");
}

export function requireCustomer(request, response, next) {
  request.customerId = customerOf(request.headers.authorization);
  if (request.customerId === undefined) response.status(401).json({ message: "sign in" });
  else next();
}

export function createQueue(name) {
  const defaultJobOptions = { attempts: 5, backoff: { type: "exponential", delay: 200 }, removeOnComplete: true };
  return new Queue(name, { connection: new Redis(redis), defaultJobOptions });
}

export function createWorker(name, handle) {
  const connection = new Redis({ ...redis, maxRetriesPerRequest: null });
  const worker = new Worker(name, ({ data }) => handle(data), { connection, concurrency: 16 });
  worker.on("error", (error) => process.stderr.write(`${error.stack}\n`));
  worker.on("failed", (_job, error) => process.stderr.write(`${error.stack}\n`));
}

function accessLog(request, response, next) {
  const startedAt = Date.now();
  response.on("finish", () => {
    const line = { time: new Date().toISOString(), method: request.method, path: request.originalUrl };
    const rest = { status: response.statusCode, durationMs: Date.now() - startedAt };
    process.stdout.write(`${JSON.stringify({ ...line, ...rest })}\n`);
  });
  next();
}
