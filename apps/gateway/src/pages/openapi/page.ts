import type { OpenApiDocument, Operation } from "./document.ts";
import type { JsonSchema } from "./json-schema.ts";

/** Allows the page's own style. No script, no other resource, no frame. */
export const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/** Renders the description as a page that is complete in itself, without a script or external resources. */
export function renderPage(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const sections = document.tags.map((tag) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(tag.name));
    return {
      index: `<li><a href="#${tag.name}">${tag.name}</a><ul>${own.map(indexEntry).join("")}</ul></li>`,
      text: `<section id="${tag.name}"><h2>${tag.name}</h2>${paragraphs(tag.description)}${own.map(operationText).join("")}</section>`,
    };
  });
  const schemas = Object.entries(document.components.schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${htmlOf(document.info.title)} API</title><style>${style}</style></head><body>
<nav><a href="#top"><b>${htmlOf(document.info.title)} API</b></a><ul>${sections.map(({ index }) => index).join("")}<li><a href="#schemas">Messages</a></li></ul></nav>
<main id="top"><h1>${htmlOf(document.info.title)} API</h1>${paragraphs(document.info.description)}
<p>For programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).</p>
${sections.map(({ text }) => text).join("")}
<section id="schemas"><h2>Messages</h2>${schemas.map(([name, schema]) => schemaText(name, schema)).join("")}</section>
</main></body></html>
`;
}

interface Entry {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}

function indexEntry({ operation }: Entry): string {
  return `<li><a href="#${operation.operationId}">${htmlOf(operation.operationId.split(".").slice(1).join("."))}</a></li>`;
}

function operationText({ path, method, operation }: Entry): string {
  const rows = operation.parameters.map(
    ({ name, in: place, required, description, schema }) =>
      `<tr><td><code>${htmlOf(name)}</code></td><td>${place}${required ? ", required" : ""}</td><td>${typeText(schema)}</td><td>${lines(description)}</td></tr>`,
  );
  const body = operation.requestBody?.content["application/json"].schema;
  const answer = operation.responses["200"];
  const answerSchema = isContent(answer) ? answer.content["application/json"].schema : undefined;
  return `<article id="${operation.operationId}"><h3><code class="${method}">${method}</code> <code>${htmlOf(path)}</code></h3>
${paragraphs(operation.description)}
${rows.length > 0 ? `<table><tr><th>parameter</th><th>where</th><th>type</th><th></th></tr>${rows.join("")}</table>` : ""}
${body === undefined ? "" : `<h4>Body</h4>${inPlace(body)}`}
${answerSchema === undefined ? "" : `<h4>Answer</h4>${inPlace(answerSchema)}`}</article>`;
}

function isContent(value: unknown): value is { content: { "application/json": { schema: JsonSchema } } } {
  return typeof value === "object" && value !== null && "content" in value;
}

/** Links to a named message, and shows any other in place. */
function inPlace(schema: JsonSchema): string {
  return schema.properties === undefined ? `<p>${typeText(schema)}</p>` : fieldTable(schema);
}

function schemaText(name: string, schema: JsonSchema): string {
  const inner = schema.properties === undefined ? `<p>${typeText(schema)}</p>` : fieldTable(schema);
  return `<article id="schema-${htmlOf(name)}"><h3>${htmlOf(name)}</h3>${paragraphs(schema.description ?? "")}${inner}</article>`;
}

function fieldTable(schema: JsonSchema): string {
  const fields = Object.entries(schema.properties ?? {});
  if (fields.length === 0) return "<p>Nothing.</p>";
  const rows = fields.map(([name, field]) => {
    const required = schema.required?.includes(name) === true ? ", required" : "";
    return `<tr><td><code>${htmlOf(name)}</code></td><td>${typeText(field)}${required}</td><td>${lines(field.description ?? "")}</td></tr>`;
  });
  return `<table><tr><th>field</th><th>type</th><th></th></tr>${rows.join("")}</table>`;
}

function typeText(schema: JsonSchema): string {
  if (schema.$ref !== undefined) {
    const name = htmlOf(schema.$ref.slice("#/components/schemas/".length));
    return `<a href="#schema-${name}">${name}</a>`;
  }
  const {
    type,
    items,
    format,
    anyOf,
    enum: values,
    description: _text,
    properties: _fields,
    required: _required,
    ...rest
  } = schema;
  const rules = Object.entries(rest).map(([rule, value]) => `${rule} ${htmlOf(JSON.stringify(value))}`);
  const parts = [
    items === undefined ? (type ?? (anyOf === undefined ? "anything" : "")) : `list of ${typeText(items)}`,
    format ?? "",
    values === undefined ? "" : `one of ${values.map((value) => `<code>${htmlOf(String(value))}</code>`).join(", ")}`,
    ...rules.map((rule) => `<small>${rule}</small>`),
    anyOf === undefined ? "" : anyOf.map((one) => (one.maxLength === 0 ? "empty" : typeText(one))).join(" or "),
  ];
  return parts.filter((part) => part !== "").join(", ");
}

function paragraphs(text: string): string {
  return text
    .split("\n\n")
    .filter((part) => part !== "")
    .map((part) => `<p>${lines(part)}</p>`)
    .join("");
}

function lines(text: string): string {
  return htmlOf(text).replaceAll("\n- ", "<br>- ").replaceAll("\n", " ");
}

function htmlOf(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { display: grid; grid-template-columns: 15rem minmax(0, 60rem); gap: 2rem; margin: 0 1rem; }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; padding: 1rem 0; }
nav ul { list-style: none; padding-left: .8rem; }
main { padding-bottom: 4rem; }
article { border-top: 1px solid #8884; padding: .5rem 0 1rem; scroll-margin-top: 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #8883; }
small { overflow-wrap: anywhere; opacity: .8; }
a { color: inherit; }
.GET { color: #2a7ae2; } .POST { color: #1a8f4b; } .PATCH, .PUT { color: #b8860b; } .DELETE { color: #c0392b; }
@media (max-width: 50rem) { body { display: block; } nav { position: static; } }
`;
