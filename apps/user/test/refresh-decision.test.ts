import { describe, expect, it } from "vitest";
import { decideRefresh, refreshExpiry } from "../src/sessions/state.ts";

const now = new Date("2026-01-01T12:00:00Z");
const ago = (ms: number) => new Date(now.getTime() - ms);
const expireTime = new Date("2026-01-31T00:00:00Z");

// Session, presented token, its successor; "spent 9999" was redeemed that many milliseconds ago.
const table = `
  open  | unspent    | none       | ROTATE
  open  | expired    | none       | REFUSE
  ended | unspent    | none       | REFUSE
  ended | spent 10   | unspent    | REFUSE
  open  | spent 0    | unspent    | REPEAT
  open  | spent 9999 | unspent    | REPEAT
  open  | spent 10000| unspent    | REUSED
  open  | spent 10   | spent 5    | REUSED
  open  | spent 10   | none       | REUSED
  old   | unspent    | none       | REFUSE
  old   | spent 10   | unspent    | REFUSE
  aging | unspent    | none       | ROTATE
`;

const dayMs = 24 * 3_600_000;
/** How many days ago a session was opened. */
const ages: Readonly<Record<string, number>> = { old: 90, aging: 89 };

describe("decideRefresh", () => {
  const rows = table
    .trim()
    .split("\n")
    .map((row) => row.split("|").map((cell) => cell.trim()));
  it.each(rows)(
    "in a session that is %s, a token that is %s with a successor that is %s: %s",
    (session, token, successor, decision) => {
      const decided = decideRefresh({
        sessionEnded: session === "ended",
        sessionCreateTime: ago((ages[session ?? ""] ?? 1) * dayMs),
        token: tokenFrom(token ?? ""),
        successor: successor === "none" ? undefined : tokenFrom(successor ?? ""),
        now,
      });
      expect(decided).toBe(decision);
    },
  );
});

describe("a refresh token", () => {
  it("lasts a month, and never longer than its session", () => {
    expect(refreshExpiry(now, now)).toEqual(ago(-30 * dayMs));
    expect(refreshExpiry(now, ago(60 * dayMs))).toEqual(ago(-30 * dayMs));
    expect(refreshExpiry(now, ago(80 * dayMs))).toEqual(ago(-10 * dayMs));
  });
});

function tokenFrom(text: string) {
  const [state, ms] = text.split(" ");
  return {
    expireTime: state === "expired" ? now : expireTime,
    spendTime: state === "spent" ? ago(Number(ms)) : undefined,
  };
}
