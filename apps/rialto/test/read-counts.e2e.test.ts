import { expect, it, onTestFinished } from "vitest";
import { countingSettings, openDatabaseCounter } from "./database-counts.ts";
import { openRestClient } from "./rest-client.ts";
import { oneProcess } from "./topology.ts";

const warmUps = 5;
const repetitions = 20;

it("an order by its id and a page of the catalog cost the database one statement each", async () => {
  const topology = await oneProcess("postgres", {}, countingSettings);
  onTestFinished(() => topology.stop());
  const client = await openRestClient(topology);
  const { token } = await client.customer();
  const product = await client.product({ stock: 1_000 });
  const { id } = await client.order(token, product);
  expect(await client.settled(token, id)).toMatchObject({ status: "CONFIRMED" });

  const read = async (path: string, headers: Readonly<Record<string, string>>) => {
    const response = await fetch(topology.url + path, { headers });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
  };
  const readBoth = async (repetitions: number) => {
    for (let n = 0; n < repetitions; n += 1) {
      await read(`/api/orders/${id}`, { authorization: `Bearer ${token}` });
      await read("/api/products?pageSize=20", {});
    }
  };
  await readBoth(warmUps);
  const counter = await openDatabaseCounter(topology.databaseUrl);
  onTestFinished(() => counter.close());
  const { statements, commits } = await counter.count(repetitions, () => readBoth(repetitions), { isAlike: true });
  expect({ statements, commits }).toEqual({ statements: 2 * repetitions, commits: 0 });
}, 240_000);
