// What RE2 and JavaScript read differently: "." and \s, \b, \p, classes by name, and groups with a "?". What is unknown
// to JavaScript alone is a SyntaxError there.
const differs = /\[\[:|\\[sSbBpP]|\(\?|(?:^|[^\\])\./;

/**
 * Creates what matches the patterns of the contract's rules, by JavaScript's regular expressions: protovalidate's own,
 * RE2 in JavaScript, takes longer for one short text than all other rules of a request. A pattern must mean the same in
 * both, and match in bounded time: the contract's are of character classes, and the longest length of a text is checked
 * first. Throws for a pattern that the two read differently.
 */
export function createPatternMatcher(): (pattern: string, text: string) => boolean {
  const compiled = new Map<string, RegExp>();
  return (pattern, text) => {
    let known = compiled.get(pattern);
    if (known === undefined) {
      known = compilePattern(pattern);
      compiled.set(pattern, known);
    }
    return known.test(text);
  };
}

/** Compiles a pattern of the contract's rules. Throws for one that RE2 and JavaScript read differently. */
export function compilePattern(pattern: string): RegExp {
  if (differs.test(pattern)) throw new Error(`the pattern ${pattern} means something else in JavaScript`);
  const compiled = new RegExp(pattern.replaceAll("\\x{", "\\u{"), "u");
  // JavaScript compiles at the first match.
  compiled.test("");
  return compiled;
}
