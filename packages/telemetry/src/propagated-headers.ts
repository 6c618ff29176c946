/** W3C Trace Context, section 3.3.1.1: a vendor has at most one member, and there are 32 at most. */
const stateMembersMax = 32;
/** Section 3.3.1.5: at least so many characters are passed on; no more are. */
const stateCharsMax = 512;
/** Members that are longer are left out first. */
const memberCharsMax = 128;
const memberForm = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,256}$/;

const baggageMembersMax = 8;
const baggageCharsMax = 512;
const baggageForm = /^([\w!#$%&'*+.^`|~-]{1,64})\s*=\s*([\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{0,128})$/;

/**
 * Returns the part of a `tracestate` header that is passed on: well-formed members, the newest first, within 512
 * characters. Undefined where nothing is left.
 */
export function boundedTracestate(given: string): string | undefined {
  const members = given
    .split(",", stateMembersMax)
    .map((member) => member.trim())
    .filter((member) => member.length <= memberCharsMax && memberForm.test(member));
  return joined(members, stateCharsMax);
}

/**
 * Returns the part of a `baggage` header that is passed on: the entries with one of these names, without their
 * properties. It comes from outside and would be sent to every service, so what is not asked for is dropped.
 */
export function allowedBaggage(given: string, names: ReadonlySet<string>): string | undefined {
  if (names.size === 0) return undefined;
  const entries: string[] = [];
  for (const member of given.split(",", stateMembersMax)) {
    const [, name = "", value = ""] = baggageForm.exec((member.split(";", 1)[0] ?? "").trim()) ?? [];
    if (names.has(name) && entries.length < baggageMembersMax) entries.push(`${name}=${value}`);
  }
  return joined(entries, baggageCharsMax);
}

/** Joins the first members that fit. */
function joined(members: readonly string[], charsMax: number): string | undefined {
  let text = "";
  for (const member of members) {
    const longer = text === "" ? member : `${text},${member}`;
    if (longer.length > charsMax) break;
    text = longer;
  }
  return text === "" ? undefined : text;
}
