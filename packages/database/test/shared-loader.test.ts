import { LazySignal } from "@rialto/async";
import { describe, expect, it } from "vitest";
import { createSharedLoader, QueueFull } from "../src/index.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Answers by hand, statement by statement, and keeps what each asked for. */
function answeredByHand(o: { readonly waitingMax?: number } = {}) {
  const sent: { readonly question: string; readonly answer: PromiseWithResolvers<string> }[] = [];
  const { load } = createSharedLoader({
    ...o,
    keyOf: (question: string) => question.toLowerCase(),
    read(question) {
      const answer = Promise.withResolvers<string>();
      sent.push({ question, answer });
      return answer.promise;
    },
  });
  return { load, sent, asked: () => sent.map(({ question }) => question) };
}

describe("questions that take a statement each", () => {
  it("share it, and its answer, where the same is asked in the same moment", async () => {
    const page = { rows: [1, 2] };
    const asked: string[] = [];
    const { load } = createSharedLoader({
      keyOf: (question: string) => question,
      read: async (question) => {
        asked.push(question);
        return question === "first page" ? page : { rows: [] };
      },
    });
    const questions = [...Array.from({ length: 20 }, () => "first page"), "another"];
    const answers = await Promise.all(questions.map((question) => load(question)));
    expect(answers.slice(0, 20).every((answer) => answer === page)).toBe(true);
    expect(answers[20]).toEqual({ rows: [] });
    expect(asked).toEqual(["first page", "another"]);
  });

  it("do not join a statement that was sent: what was committed before they were asked is seen", async () => {
    const { load, sent, asked } = answeredByHand();
    const before = load("a");
    await turn();
    const after = load("a");
    sent[0]?.answer.resolve("old");
    expect(await before).toBe("old");
    await turn();
    expect(asked()).toEqual(["a", "a"]);
    sent[1]?.answer.resolve("new");
    expect(await after).toBe("new");
  });

  it("wait for no statement of another question", async () => {
    const { load, sent, asked } = answeredByHand();
    const slow = load("slow");
    await turn();
    const quick = load("quick");
    await turn();
    expect(asked()).toEqual(["slow", "quick"]);
    sent[1]?.answer.resolve("answered");
    expect(await quick).toBe("answered");
    sent[0]?.answer.resolve("late");
    expect(await slow).toBe("late");
  });

  it("fail with those that share the statement, and with no others", async () => {
    const { load, sent } = answeredByHand();
    const questions = ["bad", "good", "bad"].map((question) => load(question));
    await turn();
    sent[0]?.answer.reject(new Error("refused"));
    sent[1]?.answer.resolve("answered");
    expect(await Promise.allSettled(questions)).toMatchObject([
      { status: "rejected", reason: { message: "refused" } },
      { status: "fulfilled", value: "answered" },
      { status: "rejected", reason: { message: "refused" } },
    ]);
    expect(sent.length).toBe(2);
  });

  it("keep their own deadlines, before their statement is sent and while it runs", async () => {
    const { load, sent, asked } = answeredByHand();
    const [early, late] = [new LazySignal(), new LazySignal()];
    const alone = load("alone", { signal: early });
    const one = load("shared", { signal: late });
    const other = load("shared");
    early.abort(new Error("the caller left"));
    await expect(alone).rejects.toThrow("the caller left");
    await turn();
    expect(asked()).toEqual(["shared"]);
    late.abort(new Error("too late"));
    await expect(one).rejects.toThrow("too late");
    sent[0]?.answer.resolve("answered");
    expect(await other).toBe("answered");
  });

  it("are bounded, all together, and room is made by each that ends", async () => {
    const { load, sent } = answeredByHand({ waitingMax: 2 });
    const waiting = [load("a"), load("b")];
    await expect(load("a")).rejects.toBeInstanceOf(QueueFull);
    await turn();
    for (const { answer } of sent) answer.resolve("answered");
    expect(await Promise.all(waiting)).toEqual(["answered", "answered"]);
    const next = load("c");
    await turn();
    sent[2]?.answer.resolve("answered");
    expect(await next).toBe("answered");
  });

  it("have an answer of which no part can be changed where shared answers are frozen", async () => {
    const { load } = createSharedLoader({
      keyOf: () => "",
      read: async () => ({ rows: [{ price: 1n }] }),
      freezes: true,
    });
    const answer = await load("a page");
    expect(() => Object.assign(answer.rows[0] ?? {}, { price: 2n })).toThrow(TypeError);
  });
});
