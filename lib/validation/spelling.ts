import { Fault } from './fault';

/** Names of props and methods in a text: of two words and more, in camel case. Neither addresses nor what is quoted. */
const NAMES = /https?:\/\/\S+|"[^"]*"|\b[a-z]+(?:[A-Z][a-z0-9]*)+\b/g;

/**
 * A fault with the names that the language of the program has for props and methods. The runtime of jsii tells the language in
 * JSII_AGENT, such as "Python/3.13.1" or "go1.24/linux/amd64"; Java spells as TypeScript does.
 *
 * @see https://aws.github.io/jsii/user-guides/language-support/
 */
export function spelled(fault: Fault, agent = process.env.JSII_AGENT ?? ''): Fault {
  const inTexts = (change: (name: string) => string): Fault => {
    const changed = (text: string) => text.replace(NAMES, (found) => (/^(https?:|")/.test(found) ? found : change(found)));
    return { ...fault, prop: changed(fault.prop), rule: changed(fault.rule), fix: changed(fault.fix) };
  };
  if (agent.startsWith('Python/')) {
    const { fix, ...rest } = inTexts((name) => name.replace(/[A-Z]+/g, (letters) => `_${letters.toLowerCase()}`));
    return { ...rest, fix: fix.replace(/\bnew (?=[A-Z])/g, '') };
  }
  if (!/^(go\d|DotNet\/)/.test(agent)) return fault;
  const { prop, fix, ...rest } = inTexts(capitalized);
  // static methods are functions in Go
  return { ...rest, prop: prop.replace(/(?<=^|\.)[a-z]+/g, capitalized), fix: agent.startsWith('go') ? fix.replace(/\b([A-Z]\w*)\.(?=[A-Z]\w*\()/g, '$1_') : fix };
}

function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
