import type { DescEnum, DescEnumValue, DescField, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import { comments } from "@rialto/contracts/comments";

/** Returns the contract's comment on a descriptor; empty if there is none. */
export function commentOf(desc: DescService | DescMethod | DescMessage | DescField | DescEnum | DescEnumValue): string {
  return comments[nameOf(desc)] ?? "";
}

function nameOf(desc: Parameters<typeof commentOf>[0]): string {
  switch (desc.kind) {
    case "service":
    case "message":
    case "enum":
      return desc.typeName;
    case "rpc":
    case "field":
    case "enum_value":
      return `${desc.parent.typeName}.${desc.name}`;
  }
}

/** Appends a line for each note. */
export function withNotes(text: string, notes: readonly string[]): string {
  return [text, ...notes.map((note) => `- ${note}`)].filter((line) => line !== "").join("\n");
}

/** Returns the first sentence of a comment. */
export function summaryOf(text: string): string {
  return /^.*?[.:](?=\s|$)/s.exec(text)?.[0].replaceAll("\n", " ").replace(/[.:]$/, "") ?? text;
}
