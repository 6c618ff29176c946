import { create } from "@bufbuild/protobuf";
import { UserSchema } from "@rialto/contracts";
import { isUnavailable } from "@rialto/rpc";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { accountEvent, ada, as, goneConfirmation, usedConfirmation, userCreated } from "./fixture.ts";
import { openMail } from "./mail-fixture.ts";

const opened = await openMail();
const { fixture, server, service } = opened;
afterAll(opened.close);
beforeEach(() => {
  opened.forget();
  fixture.asked.user = create(UserSchema, { ...ada, name: "Win a prize at https://evil.example" });
});

const only = () => {
  expect(server.mails).toHaveLength(1);
  const [mail] = server.mails;
  if (mail === undefined) throw new Error("no mail");
  const all = `${mail.subject} ${mail.text} ${mail.html} ${JSON.stringify(mail.to)}`;
  expect(all).not.toMatch(/prize|evil|\{\{/);
  return { all, subject: mail.subject, text: mail.text ?? "", to: mail.to };
};
const rowOf = async (eventId: string) =>
  (
    await fixture.database
      .sql`select kind, state, last_error, row_to_json(n)::text as row from notification n where event_id = ${eventId}`
  )[0];

describe("the welcome of a new account", () => {
  it("is the mail that confirms its address, too: the link is in the mail alone", async () => {
    const event = userCreated(uuidv7());
    await service.welcomeMail(event);
    const { subject, text, to } = only();
    expect(subject).toBe("Welcome to Rialto");
    expect(text).toMatch(/https:\/\/shop\.example\/confirm-email#confirm-\d+\n/);
    expect(text).toContain("until January 4, 12:30 UTC");
    expect(to).toMatchObject({ value: [{ address: ada.email, name: "" }] });
    expect((await rowOf(event.id))?.row).not.toContain("confirm-1");
    expect((await rowOf(event.id))?.row).not.toContain("{{");
  });

  it("has no link where the address was confirmed before it could be sent, and for an account of an older version", async () => {
    await service.welcomeMail(userCreated(usedConfirmation));
    expect(only().text).not.toContain("confirm");
    server.mails.length = 0;
    await service.welcomeMail(userCreated());
    expect(only().text).not.toContain("confirm");
  });
});

describe("the mail that confirms an address", () => {
  it("goes to that address, not to the one that the account has", async () => {
    await service.accountMail(accountEvent("EMAIL_CONFIRMATION_REQUESTED", uuidv7()));
    const { text, to, all } = only();
    expect(to).toMatchObject({ value: [{ address: "new@example.com" }] });
    expect(text).toMatch(/https:\/\/shop\.example\/confirm-email#confirm-\d+\n/);
    expect(all).not.toContain(ada.email);
  });

  it("has a new link where it is sent once more", async () => {
    const event = accountEvent("EMAIL_CONFIRMATION_REQUESTED", uuidv7());
    server.refuse = { at: "recipient", answer: { code: 451, text: "greylisted" } };
    await expect(service.accountMail(event)).rejects.toSatisfy(isUnavailable);
    server.refuse = undefined;
    await fixture.passTime(120_000);
    await service.sweep();
    const [row] = await fixture.database.sql<
      { id: string }[]
    >`select id from notification where event_id = ${event.id}`;
    await service.calls.resendNotification({ id: row?.id ?? "" }, as("ADMIN"));
    await service.sweep();
    const links = server.mails.map(({ text }) => /#(confirm-\d+)/.exec(text ?? "")?.[1]);
    expect(new Set(links).size).toBe(2);
  });

  it("is not sent where the address was confirmed by then, and is none where the account is to have another", async () => {
    const used = accountEvent("EMAIL_CONFIRMATION_REQUESTED", usedConfirmation);
    await service.accountMail(used);
    const gone = accountEvent("EMAIL_CONFIRMATION_REQUESTED", goneConfirmation);
    await service.accountMail(gone);
    expect(server.mails).toEqual([]);
    expect(await rowOf(used.id)).toMatchObject({ state: "FAILED" });
    expect(await rowOf(gone.id)).toBeUndefined();
  });
});

describe("the mail about a new address", () => {
  it("goes to the old one, and does not say what the new one is", async () => {
    fixture.asked.previousEmail = "old@example.com";
    const event = accountEvent("EMAIL_CHANGED", uuidv7());
    await service.accountMail(event);
    const { all, to, subject } = only();
    expect(subject).toBe("Your e-mail address was changed");
    expect(to).toMatchObject({ value: [{ address: "old@example.com" }] });
    expect(all).not.toMatch(/new@example|confirm-/);
    expect((await rowOf(event.id))?.row).not.toContain("new@example");
  });
});

describe("the mail about a new password", () => {
  it("goes to the account's address, with no link that somebody could copy", async () => {
    await service.accountMail(accountEvent("PASSWORD_CHANGED"));
    const { all, to, subject } = only();
    expect(subject).toBe("Your password was changed");
    expect(to).toMatchObject({ value: [{ address: ada.email }] });
    expect(all).not.toContain("https://");
  });
});
