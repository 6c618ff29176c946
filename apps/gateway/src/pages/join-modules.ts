import { readPart } from "./html-page.ts";

/** Import lists and exported declarations as the browser's modules write them. Anything else is refused. */
const importForm = /^import \{ ([\w, ]+) \} from "\.\/([\w-]+\.js)";\n/gm;
const exportForm = /^export (?=(?:async )?(?:function|const|class) (\w+))/gm;

/**
 * Joins modules that run in the browser into one script, so that a page is one response, and its policy names the hash
 * of all that it runs. Each module keeps a scope of its own. Throws where one imports or exports in a form that is not
 * read here, or where modules import each other in a circle.
 */
export function joinModules(entry: URL): string {
  const parts: string[] = [];
  const begun = new Set<string>();
  const done = new Set<string>();

  function add(name: string): void {
    if (done.has(name)) return;
    if (begun.has(name)) throw new Error(`${name} imports itself`);
    begun.add(name);
    const source = readPart(new URL(name, entry));
    for (const [, , imported = ""] of source.matchAll(importForm)) add(imported);
    parts.push(partOf(name, source));
    done.add(name);
  }

  add(entry.pathname.slice(entry.pathname.lastIndexOf("/") + 1));
  return `const modules = {};\n${parts.join("")}`;
}

function partOf(name: string, source: string): string {
  const exported = [...source.matchAll(exportForm)].map(([, declared = ""]) => declared);
  const body = source
    .replaceAll(importForm, (_all, names: string, from: string) => `const { ${names} } = modules["${from}"];\n`)
    .replaceAll(exportForm, "");
  if (/^(?:import|export)\b/m.test(body)) throw new Error(`${name} has an import or export of another form`);
  return `modules["${name}"] = (() => {\n${body}return { ${exported.join(", ")} };\n})();\n`;
}
