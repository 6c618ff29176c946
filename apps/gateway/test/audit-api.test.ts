import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AuditService, type ListAuditEntriesRequest, ListAuditEntriesResponseSchema } from "@rialto/contracts";
import {
  backgroundContext,
  CallError,
  createClient,
  nextPageToken,
  type PropagatedContext,
  type UserId,
} from "@rialto/rpc";
import { auditFilterOf } from "@rialto/service";
import { createLogger } from "@rialto/telemetry";
import { describe, expect, it } from "vitest";
import { createAuditApi } from "../src/admin/audit-api.ts";
import type { AuditBackend } from "../src/admin/backends.ts";

const log = createLogger({ service: "gateway", level: "silent" });
const idAt = (n: number) => `01900000-0000-7000-8000-${String(n).padStart(12, "0")}`;
const heard: PropagatedContext[] = [];

/** A service with these entries, by number, paged as every service pages. */
function backend(service: string, numbers: readonly number[]): AuditBackend {
  const all = [...numbers].sort((one, other) => other - one);
  return keeping(service, async ({ pageToken = "", pageSize = 0 }, origin) => {
    heard.push(origin);
    const filter = auditFilterOf({ actor: "", subject: "", method: "" });
    const after =
      Array.from({ length: 20 }, (_, n) => n).find((n) => nextPageToken([idAt(n)], filter) === pageToken) ?? 99;
    const rest = all.filter((n) => n < after);
    const page = rest.slice(0, pageSize);
    const more = rest.length > page.length;
    return {
      entries: page.map((n) => ({ id: idAt(n), service })),
      nextPageToken: more ? nextPageToken([idAt(page.at(-1) ?? 0)], filter) : "",
    };
  });
}

function keeping(
  service: string,
  list: (
    request: Partial<ListAuditEntriesRequest>,
    origin: PropagatedContext,
  ) => Promise<MessageInitShape<typeof ListAuditEntriesResponseSchema>>,
): AuditBackend {
  const audit = {
    listAuditEntries: async (request: Partial<ListAuditEntriesRequest>, origin: PropagatedContext) =>
      create(ListAuditEntriesResponseSchema, await list(request, origin)),
  };
  // The audit API calls this one method.
  return { service, audit: audit as AuditBackend["audit"] };
}

function clientOf(...backends: AuditBackend[]) {
  const endpoint = createAuditApi({
    backends,
    verifier: {
      user: async () => ({ userId: idAt(1) as UserId, role: "ADMIN", sessionId: "s" }),
      service: async (name) => ({ name }),
    },
    log,
  });
  const names = { caller: "gateway", target: "audit", tokens: { for: async () => "gateway" } };
  return createClient(AuditService, { kind: "local", endpoint: () => endpoint, checksMessages: true }, names);
}

const origin = { ...backgroundContext({ timeoutMs: 5_000 }), userToken: "an-admins", clientAddress: "192.0.2.7" };

describe("the audit logs of several services", () => {
  it.each([1, 2, 3, 10])("are one list, newest first, %i a page", async (pageSize) => {
    const audit = clientOf(backend("left", [1, 4, 5, 8]), backend("right", [2, 3, 7]), backend("empty", []));
    const seen: string[] = [];
    for (let pageToken = ""; ; ) {
      const page = await audit.listAuditEntries({ pageSize, pageToken }, origin);
      seen.push(...page.entries.map(({ id }) => id));
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    expect(seen).toEqual([8, 7, 5, 4, 3, 2, 1].map(idAt));
  });

  it("name those that did not respond, and show the entries of the others", async () => {
    const down = keeping("down", () =>
      Promise.reject(
        new CallError({ message: "down", code: "unavailable", reason: "TEMPORARILY_UNAVAILABLE" }, { remote: true }),
      ),
    );
    const answer = await clientOf(backend("left", [1, 4]), down).listAuditEntries({ pageSize: 10 }, origin);
    expect(answer.unreachableServices).toEqual(["down"]);
    expect(answer.entries.map(({ id }) => id)).toEqual([4, 1].map(idAt));
  });

  it("are read in the name of the admin, from the admin's address", async () => {
    heard.splice(0);
    await clientOf(backend("left", [1])).listAuditEntries({ pageSize: 10 }, origin);
    expect(heard).toMatchObject([{ userToken: "an-admins", clientAddress: "192.0.2.7" }]);
  });
});
