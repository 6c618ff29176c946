import { readConfig, type StartupNotice } from "@rialto/service";
import { describe, expect, it } from "vitest";
import { readyText } from "../src/ready-text.ts";

const email = "admin@rialto.example";

/** The text about the admin. */
function adminIn(startupNotices: readonly StartupNotice[]): string | undefined {
  const text = readyText({ port: 8080, config: readConfig({}), startupNotices, logFile: undefined });
  return /^ {2}Admin +(.*)$/m.exec(text)?.[1];
}

describe("what is said of the admin's account when everything runs", () => {
  it("is its password where this start made it up", () => {
    const text = adminIn([{ kind: "admin-created", email, password: "made-up" }]);
    expect(text).toBe(`${email}, password made-up (shown only this once)`);
  });

  it.each<StartupNotice>([
    { kind: "admin-created", email, password: undefined },
    { kind: "admin-kept", email, hasConfiguredPassword: true },
  ])("is that it has the password of RIALTO_ADMIN_PASSWORD where it has ($kind)", (notice) => {
    expect(adminIn([notice])).toBe(`${email}, password as in RIALTO_ADMIN_PASSWORD`);
  });

  it("is that it keeps the password that it had where RIALTO_ADMIN_PASSWORD came later, and how that is changed", () => {
    const text = adminIn([{ kind: "admin-kept", email, hasConfiguredPassword: false }]);
    expect(text).toContain("keeps its own password, not the one in RIALTO_ADMIN_PASSWORD");
    expect(text).toContain("POST /api/auth/password-reset");
  });

  it("is that it is from an earlier start where no password is configured", () => {
    const text = adminIn([{ kind: "admin-kept", email, hasConfiguredPassword: undefined }]);
    expect(text).toContain(`${email}, from an earlier start`);
    expect(adminIn([])).toBe("an account that another start created");
  });

  it("is that there is none where a customer has the address, and what to do", () => {
    const text = adminIn([{ kind: "admin-address-taken", email }]);
    expect(text).toBe(`none was made: ${email} belongs to a customer. Set RIALTO_ADMIN_EMAIL to another address`);
  });
});

describe("what is said of who can reach it", () => {
  const openIn = (env: Record<string, string>) =>
    /^ {2}Open +(.*)$/m.exec(
      readyText({ port: 8080, config: readConfig(env), startupNotices: [], logFile: undefined }),
    )?.[1];

  it("is this machine only where nothing else was asked for, and how to change that", () => {
    expect(openIn({})).toBe("to this machine only (RIALTO_HOST=0.0.0.0 opens it to others)");
    expect(openIn({ RIALTO_HOST: "0.0.0.0" })).toBe("to all who can reach this machine");
  });
});
