import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fixture, notes, openFixture, until } from "./fixture.ts";

describe("jobs on Postgres", () => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture("postgres");
  });
  afterAll(() => fixture.stop());

  it("say what became of each job, also of those that are not known", async () => {
    fixture.run("reading", notes("reading"));
    await fixture.jobs.add("reading", [{ id: "done", data: [] }]);
    await fixture.jobs.add("unread", [{ id: "waits", data: [] }]);
    await until("the job is done", async () => {
      const states = await fixture.jobs.states("reading", ["done", "gone"]);
      expect(states.get("gone")).toBe("lost");
      return states.get("done") === "completed";
    });
    expect(await fixture.jobs.states("unread", ["waits", "done"])).toEqual(
      new Map([
        ["waits", "open"],
        ["done", "lost"],
      ]),
    );
  });
});
