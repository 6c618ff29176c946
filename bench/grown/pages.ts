import { pageRows, type TurnedCall } from "./calls.ts";
import { makeCall, type Subject } from "./subject.ts";

/** Pages of a list that stand behind one another. */
const pagesMax = 5;

/**
 * Returns the call with the full pages that follow each of its own, where it is a list. Whether the rows of one page
 * stand in one page of the table or in two is chance, and is not of the newest ones only.
 */
export async function withNextPages(subject: Subject, call: TurnedCall): Promise<TurnedCall> {
  if (!call.name.startsWith("List")) return call;
  const more: string[] = [];
  for (const path of call.paths) {
    let answer = pageOf((await makeCall(subject, call, path)).text);
    for (let page = 1; page < pagesMax && answer.next !== ""; page += 1) {
      const next = pathOfPage(path, answer.next);
      answer = pageOf((await makeCall(subject, call, next)).text);
      if (!answer.isFull) break;
      more.push(next);
    }
  }
  return { ...call, paths: [...call.paths, ...more] };
}

/** What an answer says of its page: the token of the next one, empty at the end. */
function pageOf(text: string): { readonly next: string; readonly isFull: boolean } {
  const answer: Readonly<Record<string, unknown>> = JSON.parse(text);
  const next = String(answer.nextPageToken ?? "");
  const rows = Object.values(answer).find(Array.isArray) ?? [];
  return { next, isFull: rows.length === pageRows };
}

function pathOfPage(path: string, token: string): string {
  const url = new URL(path, "http://localhost");
  url.searchParams.set("pageToken", token);
  return `${url.pathname}${url.search}`;
}
